// SPDX-License-Identifier: Apache-2.0
// No input crashes the loader, and what it accepts is a configuration that it can write and read.
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>
#include <string>

#include "config/diff.h"
#include "loading.h"

namespace weir::config {
namespace {

constexpr int kRounds = 1000;

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

class Mutator {
 public:
  std::string mutate(std::string text) {
    for (std::size_t n = 1 + below(4); n > 0; --n) apply(text);
    return text;
  }

 private:
  std::size_t below(std::size_t n) { return n == 0 ? 0 : rng_() % n; }

  void apply(std::string& text) {
    constexpr std::string_view kBytes = "{}[]:,-#&*!|>'\"%@` \n\t0aZ~?$\\\r";
    const std::size_t at = below(text.size());
    switch (below(5)) {
      case 0:
        if (!text.empty()) text[at] = kBytes[below(kBytes.size())];
        break;
      case 1:
        text.insert(at, 1, kBytes[below(kBytes.size())]);
        break;
      case 2:
        text.erase(at, 1 + below(20));
        break;
      case 3:
        text.insert(below(text.size()), text.substr(at, below(200)));
        break;
      default:
        if (!text.empty()) text[at] = static_cast<char>(rng_() & 0xffU);
        break;
    }
  }

  std::mt19937 rng_{20240611};  // the same inputs in every run
};

TEST(Mutations, NeverCrashAndNeverLoadWhatCannotBeWritten) {
  const std::string reference = read(WEIR_CONF_DIR "/reference.yaml");
  const std::string quickstart = read(WEIR_CONF_DIR "/quickstart.yaml");
  ASSERT_FALSE(reference.empty());
  Mutator mutator;
  int accepted = 0;
  for (int i = 0; i < kRounds; ++i) {
    const std::string text = mutator.mutate(i % 2 == 0 ? reference : quickstart);
    const LoadResult result = test::load(text);
    EXPECT_FALSE(check_report(result, "t", ReportFormat::kJson).empty());
    if (!result) {
      EXPECT_FALSE(result.error().empty()) << text;
      continue;
    }
    ++accepted;
    const LoadResult again = test::load(test::yaml_of(result->config));
    ASSERT_TRUE(again) << text << check_report(again, "t", ReportFormat::kText);
    for (const Change& change : diff(result->config, again->config)) {
      ADD_FAILURE() << change.path << " is not what was written, in\n" << text;
    }
  }
  EXPECT_GT(accepted, kRounds / 20) << "mutations that break every file test little";
  EXPECT_LT(accepted, kRounds);
}

}  // namespace
}  // namespace weir::config
