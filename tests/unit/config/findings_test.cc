// SPDX-License-Identifier: Apache-2.0
// Each broken configuration of findings.txt gets exactly the text that stands below it.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "config/load.h"
#include "loading.h"

namespace weir::config {
namespace {

struct Case {
  std::string name;
  std::string yaml;
  std::string expected;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.yaml; }

std::vector<Case> read_cases() {
  std::ifstream file(WEIR_CONFIG_TEST_DIR "/findings.txt");
  std::vector<Case> cases;
  bool in_yaml = true;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) {
      cases.push_back(Case{line.substr(3), {}, {}});
      in_yaml = true;
    } else if (cases.empty() || (!in_yaml && line.empty())) {
      continue;
    } else if (in_yaml && line == "--") {
      in_yaml = false;
    } else {
      (in_yaml ? cases.back().yaml : cases.back().expected) += line + "\n";
    }
  }
  return cases;
}

class Findings : public testing::TestWithParam<Case> {};

TEST_P(Findings, SayWhereWhatAndWhatWouldDo) {
  const LoadResult result = load_text(GetParam().yaml, "bad.yaml", test::sealed());
  ASSERT_FALSE(result);
  EXPECT_EQ(render(result.error(), ReportFormat::kText), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(All, Findings, testing::ValuesIn(read_cases()),
                         [](const auto& param) { return param.param.name; });

TEST(FindingsFile, HasItsCases) { EXPECT_GE(read_cases().size(), 100U); }

TEST(FindingsTogether, AllAreShownAtOnceInTheOrderOfTheFile) {
  const auto findings = test::bad(
      "workers: x\n"
      "listeners: {e: {address: y}}\n"
      "clusters: {c: {endpoints: [{address: z}]}}\n"
      "routes: [{name: r, target: {cluster: d}}]\n");
  ASSERT_EQ(findings.size(), 4U);
  for (std::size_t i = 0; i < findings.size(); ++i) EXPECT_EQ(findings[i].line, i + 1);
}

TEST(FindingsTogether, ThousandsAreCountedNotShown) {
  std::string text = "listeners: {e: {address: 127.0.0.1:80}}\nroutes:\n";
  for (int i = 0; i < 5000; ++i) text += "  - x\n";
  const LoadResult result = test::load(text);
  ASSERT_FALSE(result);
  ASSERT_EQ(result.error().size(), Diagnostics::kMaxKept + 1);
  EXPECT_EQ(result.error().back().message, "and 4800 more findings that are not shown");
  EXPECT_TRUE(check_report(result, "test.yaml", ReportFormat::kText)
                  .ends_with("test.yaml: more than 200 findings\n"));
}

}  // namespace
}  // namespace weir::config
