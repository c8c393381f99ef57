// SPDX-License-Identifier: Apache-2.0
#include "base/intrusive_list.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace weir::base {
namespace {

struct TagA;
struct TagB;
struct Item : ListLink<TagA>, ListLink<TagB> {
  explicit Item(char n) : name(n) {}
  char name;
};
using ListA = IntrusiveList<Item, TagA>;
using ListB = IntrusiveList<Item, TagB>;

template <typename List>
std::string names(List& list) {
  std::string text;
  list.for_each([&](Item& item) { text += item.name; });
  return text;
}

class IntrusiveListTest : public testing::Test {
 protected:
  Item a_{'a'}, b_{'b'}, c_{'c'};
  ListA list_;
};

TEST_F(IntrusiveListTest, KeepsOrderAtBothEnds) {
  list_.push_back(b_);
  list_.push_back(c_);
  list_.push_front(a_);
  EXPECT_EQ(names(list_), "abc");
  EXPECT_EQ(list_.front(), &a_);
  EXPECT_EQ(list_.back(), &c_);
  EXPECT_EQ(list_.pop_front(), &a_);
  EXPECT_EQ(names(list_), "bc");
}

TEST_F(IntrusiveListTest, EmptyGivesNull) {
  EXPECT_TRUE(list_.empty());
  EXPECT_EQ(list_.front(), nullptr);
  EXPECT_EQ(list_.back(), nullptr);
  EXPECT_EQ(list_.pop_front(), nullptr);
}

TEST_F(IntrusiveListTest, DestroyingAnElementTakesItOut) {
  list_.push_back(a_);
  {
    Item gone('x');
    list_.push_back(gone);
    EXPECT_EQ(names(list_), "ax");
  }
  EXPECT_EQ(names(list_), "a");
}

TEST_F(IntrusiveListTest, UnlinkIsHarmlessTwice) {
  ListLink<TagA>& link = a_;
  link.unlink();
  list_.push_back(a_);
  EXPECT_TRUE(link.linked());
  link.unlink();
  link.unlink();
  EXPECT_FALSE(link.linked());
  EXPECT_TRUE(list_.empty());
}

TEST_F(IntrusiveListTest, ElementsOutliveTheList) {
  auto list = std::make_unique<ListA>();
  list->push_back(a_);
  list.reset();
  EXPECT_FALSE(static_cast<ListLink<TagA>&>(a_).linked());
  list_.push_back(a_);
  EXPECT_EQ(names(list_), "a");
}

TEST_F(IntrusiveListTest, OneElementMayBeInListsOfTwoTags) {
  ListB other;
  list_.push_back(a_);
  other.push_back(a_);
  static_cast<ListLink<TagA>&>(a_).unlink();
  EXPECT_TRUE(list_.empty());
  EXPECT_EQ(names(other), "a");
}

TEST_F(IntrusiveListTest, VisitorMayUnlinkWhatItIsGiven) {
  list_.push_back(a_);
  list_.push_back(b_);
  list_.push_back(c_);
  list_.for_each([](Item& item) {
    if (item.name != 'b') static_cast<ListLink<TagA>&>(item).unlink();
  });
  EXPECT_EQ(names(list_), "b");
}

TEST_F(IntrusiveListTest, SpliceMovesAll) {
  ListA other;
  list_.push_back(a_);
  other.push_back(b_);
  other.push_back(c_);
  list_.splice_back(other);
  EXPECT_EQ(names(list_), "abc");
  EXPECT_TRUE(other.empty());
}

}  // namespace
}  // namespace weir::base
