// SPDX-License-Identifier: Apache-2.0
// The keys that sign tags: the first of the file signs, all verify, so that a new key is put last
// on all nodes, then first, and the old one taken out when its tags have expired.
// Immutable once read; any thread. Signing and verifying allocate from the arena at most.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "net/hmac.h"
#include "policy/cell_tag.h"

namespace weir::proxy {

class CellKeys {
 public:
  /// Lines of `ID HEX`, at least 32 bytes of key each; '#' begins a comment. The error is a
  /// sentence that names the line and shows nothing of a key.
  static std::expected<CellKeys, std::string> parse(std::string_view text);

  /// `tag` with cell, epoch and expiry; its text, in `arena`. Requires: not empty().
  std::string_view sign(policy::CellTag tag, std::string_view tenant, base::Arena& arena) const;

  enum class Verdict : std::uint8_t { kGood, kUnknownKey, kForged };
  Verdict verify(const policy::CellTag& tag, std::string_view tenant) const;
  bool empty() const { return keys_.empty(); }

 private:
  struct Key {
    std::string id;
    net::HmacKey hmac;
  };
  std::vector<Key> keys_;
};

}  // namespace weir::proxy
