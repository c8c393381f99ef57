// SPDX-License-Identifier: Apache-2.0
// Collects differences while codecs compare two values: keeps the path, leaves the effect to
// diff.cc. One thread; lives for one diff.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/diff.h"

namespace weir::config {

// Fills in effect and needs_restart. `path` has one element a name, whatever dots are in it.
void explain(Change& change, const std::vector<std::string_view>& path);

class Changes {
 public:
  void changed(std::string before, std::string after) {
    add(ChangeKind::kChanged, std::move(before), std::move(after));
  }
  void added(std::string after) { add(ChangeKind::kAdded, {}, std::move(after)); }
  void removed(std::string before) { add(ChangeKind::kRemoved, std::move(before), {}); }

  std::vector<Change> take() { return std::move(list_); }

  // One step down the path while it lives. A name that starts with '[' is an element of a list.
  // `name` must outlive it.
  class Step {
   public:
    Step(Changes& changes, std::string_view name) : changes_(changes) {
      changes_.path_.push_back(name);
    }
    ~Step() { changes_.path_.pop_back(); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    Changes& changes_;
  };

 private:
  std::string path() const {
    std::string out;
    for (const std::string_view name : path_) {
      if (!out.empty() && !name.starts_with('[')) out += '.';
      out += name;
    }
    return out;
  }

  void add(ChangeKind kind, std::string before, std::string after) {
    Change& change = list_.emplace_back();
    change.kind = kind;
    change.path = path();
    change.before = std::move(before);
    change.after = std::move(after);
    explain(change, path_);
  }

  std::vector<std::string_view> path_;
  std::vector<Change> list_;
};

}  // namespace weir::config
