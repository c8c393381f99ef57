// SPDX-License-Identifier: Apache-2.0
// Tenants that the operator has put into cells by name: 100,000 of them in a few MiB, one probe and
// one comparison away. Names come from the config alone, so that no client can make probes long.
// Immutable once built; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::policy {

class CellPins {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  /// Room for `count` pins.
  explicit CellPins(std::size_t count);

  /// The first cell that a tenant is given stays.
  void add(std::string_view tenant, std::uint32_t cell);
  /// kNone: he is not pinned.
  std::uint32_t find(std::string_view tenant) const;
  std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    std::uint32_t cell = kNone;
  };
  std::size_t place(std::string_view tenant, std::uint64_t hash) const;

  std::vector<Slot> slots_;  ///< A power of two, at most half full.
  std::string names_;
  std::size_t size_ = 0;
};

}  // namespace weir::policy
