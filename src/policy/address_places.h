// SPDX-License-Identifier: Apache-2.0
// How many connections each client address holds, for all workers in one table: exact, whatever the
// number of workers. Only addresses that hold a connection are in it, so that its memory is bounded
// by the connections there are. An IPv6 client is its prefix: a host owns 2^64 addresses. Sharded;
// the hash is keyed, so that nobody can aim addresses at one chain.
// Any thread. Outlives its places.
#pragma once

#include <weir/units.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "policy/limit_key.h"

namespace weir::policy {

class AddressPlaces;

/// One connection's place. Gives itself back.
class AddressPlace {
 public:
  AddressPlace() = default;
  AddressPlace(AddressPlace&& from) noexcept
      : table_(std::exchange(from.table_, nullptr)), entry_(std::exchange(from.entry_, nullptr)) {}
  AddressPlace& operator=(AddressPlace&& from) noexcept {
    release();
    table_ = std::exchange(from.table_, nullptr);
    entry_ = std::exchange(from.entry_, nullptr);
    return *this;
  }
  ~AddressPlace() { release(); }
  /// Harmless when repeated.
  void release();
  explicit operator bool() const { return entry_ != nullptr; }

 private:
  friend class AddressPlaces;
  AddressPlace(AddressPlaces* table, void* entry) : table_(table), entry_(entry) {}
  AddressPlaces* table_ = nullptr;
  void* entry_ = nullptr;
};

class AddressPlaces {
 public:
  AddressPlaces();
  AddressPlaces(const AddressPlaces&) = delete;
  AddressPlaces& operator=(const AddressPlaces&) = delete;
  /// Requires: every place is back.
  ~AddressPlaces();

  /// An empty place if the client holds `max` already. `ipv6_prefix`: 1 to 128 bits.
  AddressPlace take(const IpAddress& client, std::uint8_t ipv6_prefix, std::uint32_t max);
  /// Addresses that hold at least one place.
  std::size_t addresses() const;

 private:
  friend class AddressPlace;
  static constexpr std::size_t kShards = 64;

  struct Key {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    const KeySecret* secret;
    std::size_t operator()(const Key& key) const;
  };
  using Counts = std::unordered_map<Key, std::uint32_t, Hash>;
  /// A cache line of its own: workers meet only at the same shard.
  struct alignas(64) Shard {
    explicit Shard(const KeySecret* secret) : counts(0, Hash{secret}) {}
    mutable std::mutex mutex;
    Counts counts;  ///< Guarded by mutex. Elements stay where they are.
  };

  static Key key_of(const IpAddress& client, std::uint8_t ipv6_prefix);
  Shard& shard_of(const Key& key) { return shards_[Hash{&secret_}(key) >> 58]; }
  void give_back(void* entry);
  template <std::size_t... I>
  static std::array<Shard, kShards> make_shards(const KeySecret* secret,
                                                std::index_sequence<I...>) {
    return {(static_cast<void>(I), Shard(secret))...};
  }

  const KeySecret secret_;
  std::array<Shard, kShards> shards_;
};

}  // namespace weir::policy
