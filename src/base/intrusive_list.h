// SPDX-License-Identifier: Apache-2.0
// A doubly linked list through a member of its elements: no allocation, O(1) unlink, and destroying
// an element takes it out of its list, which is how a timer, a waiter or a posted task is
// cancelled. The list does not own. One thread.
#pragma once

#include <cstddef>

#include "base/check.h"

namespace weir::base {

/// The link that an element derives from. `Tag` tells several links of one element apart.
template <typename Tag = void>
class ListLink {
 public:
  ListLink() = default;
  ListLink(const ListLink&) = delete;
  ListLink& operator=(const ListLink&) = delete;
  ~ListLink() { unlink(); }

  bool linked() const { return next_ != nullptr; }
  /// Takes the element out of whichever list it is in; harmless if it is in none.
  void unlink() {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    next_ = prev_ = nullptr;
  }

 private:
  template <typename T, typename U>
  friend class IntrusiveList;
  ListLink* next_ = nullptr;
  ListLink* prev_ = nullptr;
};

/// Requires: T derives publicly from ListLink<Tag>. Elements outlive their membership or unlink.
template <typename T, typename Tag = void>
class IntrusiveList {
  using Link = ListLink<Tag>;

 public:
  IntrusiveList() { head_.next_ = head_.prev_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (!empty()) pop_front();
    head_.next_ = head_.prev_ = nullptr;
  }

  bool empty() const { return head_.next_ == &head_; }
  void push_back(T& element) { insert(*head_.prev_, element); }
  void push_front(T& element) { insert(head_, element); }
  T* front() { return empty() ? nullptr : static_cast<T*>(head_.next_); }
  T* back() { return empty() ? nullptr : static_cast<T*>(head_.prev_); }
  T* pop_front() {
    T* element = front();
    if (element != nullptr) static_cast<Link*>(element)->unlink();
    return element;
  }
  /// Moves all elements of `other` to the end of this list.
  void splice_back(IntrusiveList& other) {
    while (T* element = other.pop_front()) push_back(*element);
  }
  /// Calls `visit(T&)` for each; `visit` may unlink the element it is given, and no other.
  template <typename Visit>
  void for_each(Visit visit) {
    for (Link* link = head_.next_; link != &head_;) {
      Link* next = link->next_;
      visit(*static_cast<T*>(link));
      link = next;
    }
  }

 private:
  void insert(Link& after, T& element) {
    Link& link = element;
    DCHECK(!link.linked());
    link.prev_ = &after;
    link.next_ = after.next_;
    after.next_->prev_ = &link;
    after.next_ = &link;
  }

  Link head_;
};

}  // namespace weir::base
