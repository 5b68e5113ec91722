#include "runtime/CompilerLibrary.h"

#include "ir/Graph.h"
#include "kiln/Error.h"

#include <gmock/gmock.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

using namespace kiln;
using namespace kiln::runtime;

namespace {

/// Sets an environment variable for a scope.
struct Environment {
  Environment(const char *name, const std::string &value) : name(name) {
    if (const char *old = std::getenv(name))
      before = old;
    setenv(name, value.c_str(), 1);
  }
  ~Environment() { before ? setenv(name, before->c_str(), 1) : unsetenv(name); }
  const char *name;
  std::optional<std::string> before;
};

std::string failure() {
  try {
    compileGraph(ir::Graph(), CompileRequest());
  } catch (const CompileError &error) {
    return error.what();
  }
  return "compiled";
}

} // namespace

TEST(CompilerLibrary, AnAbsentOneIsExplained) {
  if (isCompilerLoaded())
    GTEST_SKIP() << "an earlier test of this process has loaded the compiler";
  Environment path("KILN_COMPILER_LIBRARY", "/nowhere/libkiln-compiler.so");
  EXPECT_EQ(compilerLibraryPath(), "/nowhere/libkiln-compiler.so");
  EXPECT_THAT(failure(), testing::AllOf(testing::HasSubstr("/nowhere/libkiln-compiler.so"),
                                        testing::HasSubstr("Install libkiln-compiler.so beside")));
}

TEST(CompilerLibrary, AnotherLibraryIsRefused) {
  if (isCompilerLoaded())
    GTEST_SKIP() << "an earlier test of this process has loaded the compiler";
  Environment path("KILN_COMPILER_LIBRARY", "libc.so.6");
  EXPECT_EQ(failure(), "libc.so.6 is not Kiln's compiler: it has no kilnCompile");
}

TEST(CompilerLibrary, IdentityTellsFilesApart) {
  std::string path = testing::TempDir() + "kiln-not-a-compiler-" + std::to_string(::getpid());
  std::ofstream(path) << "one";
  Environment variable("KILN_COMPILER_LIBRARY", path);
  std::string one = compilerIdentity();
  EXPECT_EQ(compilerIdentity(), one);
  std::ofstream(path) << "three";
  EXPECT_NE(compilerIdentity(), one);
  std::filesystem::remove(path);
  EXPECT_THAT(compilerIdentity(), testing::StartsWith("kiln "));
}
