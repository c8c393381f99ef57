// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "config/diagnostics.h"
#include "config/load.h"
#include "loading.h"

namespace weir::config {
namespace {

std::string rendered(const std::string& text, std::uint32_t column) {
  Diagnostics diagnostics;
  diagnostics.add_source("t.yaml", text);
  diagnostics.error({0, 1, column}, "a.b", {"is wrong", ""});
  return render(diagnostics.take_sorted(), ReportFormat::kText);
}

TEST(Render, TheCaretStandsUnderTheColumn) {
  EXPECT_EQ(rendered("ab: cd", 5),
            "t.yaml:1:5: error: a.b: is wrong\n"
            "    1 | ab: cd\n"
            "      |     ^\n");
}

TEST(Render, TheCaretCountsCharactersNotBytes) {
  EXPECT_EQ(rendered("\xc3\xa9: x", 5),
            "t.yaml:1:5: error: a.b: is wrong\n"
            "    1 | \xc3\xa9: x\n"
            "      |    ^\n");
}

TEST(Render, TabsAndControlBytesDoNotReachTheTerminal) {
  EXPECT_EQ(rendered("\ta: \x1b[31m", 5),
            "t.yaml:1:5: error: a.b: is wrong\n"
            "    1 |  a: ?[31m\n"
            "      |     ^\n");
}

TEST(Render, AVeryLongLineIsCutAroundTheColumn) {
  const std::string text = rendered(std::string(5000, 'a') + "X" + std::string(5000, 'b'), 5001);
  EXPECT_LT(text.size(), 500U);
  const std::size_t line = text.find("| ") + 2;
  const std::size_t caret_line = text.find("| ", line) + 2;
  const std::size_t caret = text.find('^', caret_line) - caret_line;
  EXPECT_EQ(text[line + caret], 'X');
}

TEST(Render, JsonHasEveryFieldAndIsValidForAnyBytes) {
  Diagnostics diagnostics;
  diagnostics.add_source("t.yaml", "x");
  diagnostics.error({0, 1, 1}, "k", {"found \xff", "do \"this\""});
  const std::string text = render(diagnostics.take_sorted(), ReportFormat::kJson);
  for (const char* part : {R"("severity": "error")", R"("file": "t.yaml")", R"("line": 1)",
                           R"("column": 1)", R"("key": "k")", R"("hint": "do \"this\"")"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
}

TEST(CheckReport, EndsWithOneLineOfResult) {
  const LoadResult ok = test::load(test::around("routes: [{name: r, target: {cluster: c}}]"));
  EXPECT_EQ(check_report(ok, "x.yaml", ReportFormat::kText),
            "x.yaml: ok: 1 listener, 1 cluster, 1 route\n");
  const LoadResult failed = test::load(test::around("a: 1\nb: 2"));
  EXPECT_TRUE(check_report(failed, "x.yaml", ReportFormat::kText).ends_with("x.yaml: 2 errors\n"));
}

TEST(CheckReport, WarningsAreShownAndDoNotFail) {
  const LoadResult result = test::load(test::around(""));
  ASSERT_TRUE(result);
  const std::string text = check_report(result, "x.yaml", ReportFormat::kText);
  EXPECT_NE(text.find("warning: clusters.c: no route leads to this cluster"), std::string::npos);
  EXPECT_TRUE(text.ends_with("ok: 1 listener, 1 cluster, 0 routes (2 warnings)\n"));
}

TEST(CheckReport, JsonTellsTheResultAndTheCounts) {
  const std::string text =
      check_report(test::load(test::around("a: 1")), "x.yaml", ReportFormat::kJson);
  EXPECT_TRUE(text.starts_with("{\n  \"ok\": false,\n  \"errors\": 1,\n  \"warnings\": 0,\n"))
      << text;
}

TEST(LoadFile, AFileThatCannotBeReadIsAFinding) {
  const LoadResult result = load_file("/nonexistent/weir.yaml");
  ASSERT_FALSE(result);
  EXPECT_EQ(render(result.error(), ReportFormat::kText),
            "/nonexistent/weir.yaml: error: cannot be read: No such file or directory\n");
  EXPECT_FALSE(load_file("/")) << "a folder";
}

}  // namespace
}  // namespace weir::config
