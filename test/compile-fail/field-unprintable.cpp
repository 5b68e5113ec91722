// error: leave this field out of\s+KILN_FIELDS, or give its type an operator<<
#include <kiln/kiln.h>
using namespace kiln;

struct Settings {
  int a, b;
};
struct Net : nn::Module<Net> {
  Settings settings;
  KILN_FIELDS(settings)
};
void use(const Net &net) { net.parameters(); }
