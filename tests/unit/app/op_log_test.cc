// SPDX-License-Identifier: Apache-2.0
#include "app/op_log.h"

#include <gtest/gtest.h>

namespace weir::app {
namespace {

TEST(OpLog, IsKeyValueWithQuotesWhereNeeded) {
  EXPECT_EQ(
      op_log_line(LogLevel::kInfo, "config applied",
                  {{"version", 2}, {"file", "a b.yaml"}, {"key", "routes.x"}, {"hint", ""}}),
      "level=info msg=\"config applied\" version=2 file=\"a b.yaml\" key=routes.x hint=\"\"\n");
}

TEST(OpLog, NamesEveryLevel) {
  EXPECT_TRUE(op_log_line(LogLevel::kDebug, "x", {}).starts_with("level=debug "));
  EXPECT_TRUE(op_log_line(LogLevel::kWarning, "x", {}).starts_with("level=warning "));
  EXPECT_TRUE(op_log_line(LogLevel::kError, "x", {}).starts_with("level=error "));
}

TEST(OpLog, StaysOneLineWhateverAValueHolds) {
  EXPECT_EQ(op_log_line(LogLevel::kInfo, "a\nb", {{"v", "x\"y\\z\rw\x1b="}}),
            "level=info msg=\"a\\nb\" v=\"x\\\"y\\\\z?w?=\"\n");
}

}  // namespace
}  // namespace weir::app
