// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

struct Parse {
  explicit Parse(std::string text, const DocumentLimits& limits = {}) {
    const std::uint32_t file = diagnostics.add_source("t.yaml", std::move(text));
    document = Document::parse(diagnostics.source_text(file), file, diagnostics, limits);
  }
  std::string first_message() {
    const auto all = diagnostics.take_sorted();
    return all.empty() ? std::string() : all.front().message;
  }

  Diagnostics diagnostics;
  std::optional<Document> document;
};

TEST(Document, KeepsOrderTextAndPlaces) {
  const Parse parse("a: 1\nlist:\n  - x\n  - 'y z'\n");
  ASSERT_TRUE(parse.document);
  const Document& d = *parse.document;
  const NodeId a = d.first_child(Document::kRoot);
  EXPECT_EQ(d.text(a), "a");
  const NodeId one = d.next(a);
  EXPECT_EQ(d.text(one), "1");
  EXPECT_EQ(d.location(one).line, 1U);
  EXPECT_EQ(d.location(one).column, 4U);
  const NodeId list = d.next(d.next(one));
  EXPECT_EQ(d.kind(list), NodeKind::kList);
  const NodeId second = d.next(d.first_child(list));
  EXPECT_EQ(d.text(second), "y z");
  EXPECT_EQ(d.location(second).line, 4U);
  EXPECT_EQ(d.next(second), Document::kNone);
}

TEST(Document, AnAbsentValueStandsAtItsKey) {
  const Parse parse("a:\nb: 1\n");
  const Document& d = *parse.document;
  const NodeId value = d.next(d.first_child(Document::kRoot));
  EXPECT_TRUE(d.is_null(value));
  EXPECT_EQ(d.location(value).line, 1U);
}

TEST(Document, AByteOrderMarkIsNoText) {
  const Parse parse(
      "\xef\xbb\xbf"
      "a: 1\n");
  ASSERT_TRUE(parse.document);
  EXPECT_EQ(parse.document->text(parse.document->first_child(Document::kRoot)), "a");
}

TEST(Document, AliasesAreRefusedSoThatASmallFileStaysSmall) {
  Parse parse("a: &x [1, 2]\nb: *x\nc: {<<: *x}\n");
  EXPECT_EQ(parse.diagnostics.errors(), 3U);
}

TEST(Document, DepthIsBounded) {
  DocumentLimits limits;
  limits.max_depth = 4;
  EXPECT_TRUE(Parse("[[[[1]]]]", limits).document);
  EXPECT_FALSE(Parse("[[[[[1]]]]]", limits).document);
  EXPECT_FALSE(Parse(std::string(100000, '[')).document);
  EXPECT_FALSE(Parse(std::string(100000, '{')).document);
  std::string steps;
  for (int i = 0; i < 2000; ++i) steps += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_EQ(Parse(steps).first_message(), "nested deeper than 32 levels");
}

TEST(Document, CountAndSizeAreBounded) {
  DocumentLimits limits;
  limits.max_nodes = 10;
  EXPECT_TRUE(Parse("[1, 2, 3, 4, 5, 6, 7, 8, 9]", limits).document);
  EXPECT_EQ(Parse("[1, 2, 3, 4, 5, 6, 7, 8, 9, 0]", limits).first_message(), "more than 10 values");
  limits.max_bytes = 1 << 20;
  EXPECT_EQ(Parse(std::string((1 << 20) + 1, ' '), limits).first_message(), "larger than 1 MiB");
}

TEST(Document, ControlBytesAreFoundBeforeAnyParsing) {
  Parse nul(std::string("a: 1\nb: \0 2\n", 12));
  const auto findings = nul.diagnostics.take_sorted();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].line, 2U);
  EXPECT_EQ(findings[0].column, 4U);
  EXPECT_EQ(findings[0].message, "a control character (byte 0)");
}

TEST(Document, OnlyWellFormedUtf8IsTaken) {
  EXPECT_TRUE(Parse("a: \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n").document);
  for (const char* text : {"a: \xff", "a: \xc3", "a: \xc0\xaf", "a: \xed\xa0\x80",
                           "a: \xf5\x80\x80\x80", "a: \xe0\x80\x80", "a: \xf4\x90\x80\x80"}) {
    EXPECT_EQ(Parse(text).first_message(), "not UTF-8") << text;
  }
  EXPECT_FALSE(Parse(std::string("\xff\xfe"
                                 "a\0:\0",
                                 6))
                   .document)
      << "UTF-16";
}

}  // namespace
}  // namespace weir::config
