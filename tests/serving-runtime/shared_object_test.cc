#include "serving-runtime/backends/shared_object.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/scratch_folder.h"
#include "base/strings.h"

namespace tidegate::serving {
namespace {

using testing::HasSubstr;

TEST(SharedObject, ThatIsCutShortIsToldByItsSize) {
  const base::ScratchFolder folder;
  const std::string whole = base::read_file("/proc/self/exe").value();
  folder.write("whole", whole);
  EXPECT_EQ(fault_of_shared_object(folder / "whole"), "");
  for (size_t size : {size_t{100}, size_t{5000}, whole.size() / 2}) {
    folder.write("short", whole.substr(0, size));
    std::string error;
    EXPECT_EQ(open_shared_object(folder / "short", error), nullptr);
    EXPECT_THAT(error, HasSubstr(base::cat("short is cut short: it has ", size, " of at least "))) << size;
  }
}

TEST(SharedObject, ThatIsNoneIsLeftToTheLoader) {
  const base::ScratchFolder folder;
  for (const std::string text : {"", "text", "\177ELF"}) {
    folder.write("file", text);
    EXPECT_EQ(fault_of_shared_object(folder / "file"), "");
    std::string error;
    EXPECT_EQ(open_shared_object(folder / "file", error), nullptr);
    EXPECT_THAT(error, HasSubstr((folder / "file").string()));
  }
  EXPECT_EQ(fault_of_shared_object(folder / "none"), "");
  EXPECT_EQ(fault_of_shared_object(folder.string()), "");
}

}  // namespace
}  // namespace tidegate::serving
