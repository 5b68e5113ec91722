//===- Roofline.cpp - A picture of kernels below the machine's roofs ----------===//

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "Report.h"

namespace kiln::tools {

namespace {
/// A diagram with logarithmic axes.
class Picture {
public:
  Picture(double xLow, double xHigh, double yLow, double yHigh)
      : xLow(std::log10(xLow)), xHigh(std::log10(xHigh)), yLow(std::log10(yLow)),
        yHigh(std::log10(yHigh)) {}

  static constexpr int left = 70, top = 50, wide = 620, high = 400;
  double x(double value) const { return left + wide * (std::log10(value) - xLow) / (xHigh - xLow); }
  double y(double value) const { return top + high * (yHigh - std::log10(value)) / (yHigh - yLow); }
  double minX() const { return std::pow(10, xLow); }
  double maxX() const { return std::pow(10, xHigh); }
  double minY() const { return std::pow(10, yLow); }

  void axes() {
    for (double decade = std::ceil(xLow); decade <= xHigh; ++decade)
      grid(x(std::pow(10, decade)), top, x(std::pow(10, decade)), top + high,
           x(std::pow(10, decade)), top + high + 18, "middle", std::pow(10, decade));
    for (double decade = std::ceil(yLow); decade <= yHigh; ++decade)
      grid(left, y(std::pow(10, decade)), left + wide, y(std::pow(10, decade)), left - 8,
           y(std::pow(10, decade)) + 4, "end", std::pow(10, decade));
    text(left + wide / 2, top + high + 38, "middle", "operations for each byte");
    body += fmt::format("<text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\">"
                        "GFLOP/s</text>\n",
                        top + high / 2);
  }
  void line(double x1, double y1, double x2, double y2, const char *style) {
    body += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1,
                        y1, x2, y2, style);
  }
  void text(double at, double below, const char *anchor, const std::string &what) {
    body += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", at, below,
                        anchor, what);
  }
  void point(double at, double value, double size, int number) {
    body += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"#c33\" "
                        "fill-opacity=\"0.5\" stroke=\"#c33\"/>\n",
                        x(at), y(value), size);
    text(x(at) + size + 2, y(value) + 4, "start", std::to_string(number));
  }
  std::string finish(int extraLines) const {
    return fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
                       "viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
                       "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{2}</svg>\n",
                       left + wide + 30, top + high + 60 + 17 * extraLines, body);
  }

private:
  void grid(double x1, double y1, double x2, double y2, double labelX, double labelY,
            const char *anchor, double value) {
    line(x1, y1, x2, y2, "stroke=\"#ddd\"");
    text(labelX, labelY, anchor, fmt::format("{:g}", value));
  }
  double xLow, xHigh, yLow, yHigh;
  std::string body;
};

struct Roof {
  double value; // operations or bytes a second
  std::string name;
};
} // namespace

std::string rooflineSvg(const Report &report, const Machine &machine, const std::string &title) {
  std::vector<Roof> slopes = {{machine.memory, "memory"},
                              {machine.lastCache, "last cache"},
                              {machine.nearCache, "near cache"}};
  std::vector<Roof> tops;
  if (machine.flops > 0)
    tops.push_back({machine.flops, fmt::format("float32, {} threads", machine.threads)});
  if (machine.flops > 0 && machine.threads > 1)
    tops.push_back({machine.flopsOne, "float32, 1 thread"});
  if (machine.bf16Flops > 0)
    tops.push_back({machine.bf16Flops, fmt::format("bfloat16, {} threads", machine.threads)});
  double xLow = 0.1, xHigh = 100, yLow = 1, yHigh = 1000; // GFLOP/s
  for (const KernelReport &k : report.kernels)
    if (k.flops > 0) {
      xLow = std::min(xLow, k.intensity() / 2);
      xHigh = std::max(xHigh, k.intensity() * 2);
      yLow = std::min(yLow, k.flops / k.seconds * 1e-9 / 2);
    }
  for (const Roof &roof : tops)
    yHigh = std::max(yHigh, roof.value * 1e-9 * 1.5);
  Picture picture(xLow, xHigh, yLow, yHigh);
  picture.text(Picture::left, 28, "start", title);
  picture.axes();
  const double highest = tops.empty() ? yHigh
                                      : std::max_element(
                                            tops.begin(), tops.end(),
                                            [](auto &a, auto &b) {
                                              return a.value < b.value;
                                            })->value *
                                            1e-9;
  int drawn = 0;
  for (const Roof &roof : slopes) {
    const double speed = roof.value * 1e-9; // GFLOP/s at one operation a byte
    const double from = std::max(picture.minX(), picture.minY() / speed);
    const double to = std::min(picture.maxX(), highest / speed);
    picture.line(picture.x(from), picture.y(from * speed), picture.x(to), picture.y(to * speed),
                 "stroke=\"#36c\" stroke-width=\"1.5\"");
    // One below the other: roofs of caches are close.
    const double label = from * std::pow(to / from, 0.75 - 0.15 * static_cast<double>(drawn++));
    picture.text(picture.x(label) - 6, picture.y(label * speed), "end",
                 fmt::format("{} {:.0f} GB/s", roof.name, speed));
  }
  for (const Roof &roof : tops) {
    const double speed = roof.value * 1e-9;
    picture.line(picture.x(std::min(picture.maxX(), speed / (machine.nearCache * 1e-9))),
                 picture.y(speed), picture.x(picture.maxX()), picture.y(speed),
                 "stroke=\"#282\" stroke-width=\"1.5\"");
    picture.text(picture.x(picture.maxX()), picture.y(speed) - 4, "end",
                 fmt::format("{}: {:.0f} GFLOP/s", roof.name, speed));
  }
  double all = 0;
  for (const KernelReport &k : report.kernels)
    all += k.seconds;
  int number = 0, lines = 0;
  for (const KernelReport &k : report.kernels) {
    ++number;
    if (k.flops <= 0)
      continue;
    // The area is the share of the time.
    picture.point(k.intensity(), k.flops / k.seconds * 1e-9, 3 + 17 * std::sqrt(k.seconds / all),
                  number);
    picture.text(Picture::left, Picture::top + Picture::high + 62 + 17 * lines++, "start",
                 fmt::format("{}  {} ({:.0f} % of the time, {:.0f} % of its limit: {})", number,
                             k.name, k.seconds / all * 100, k.boundSeconds / k.seconds * 100,
                             k.limit));
  }
  return picture.finish(lines);
}

} // namespace kiln::tools
