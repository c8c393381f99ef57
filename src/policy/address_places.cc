// SPDX-License-Identifier: Apache-2.0
#include "policy/address_places.h"

#include <algorithm>
#include <random>

#include "base/check.h"

namespace weir::policy {
namespace {

KeySecret new_secret() {
  std::random_device random;
  const auto word = [&random] { return std::uint64_t{random()} << 32 | random(); };
  return {word(), word()};
}

std::uint64_t load(const std::uint8_t* bytes) {
  std::uint64_t word = 0;
  for (int i = 0; i < 8; ++i) word = word << 8 | bytes[i];
  return word;
}

// The first `bits` of a word, 0 to 64.
std::uint64_t keep(std::uint64_t word, unsigned bits) {
  return bits == 0 ? 0 : word & (~std::uint64_t{0} << (64 - bits));
}

}  // namespace

void AddressPlace::release() {
  if (entry_ != nullptr) table_->give_back(std::exchange(entry_, nullptr));
}

AddressPlaces::AddressPlaces()
    : secret_(new_secret()), shards_(make_shards(&secret_, std::make_index_sequence<kShards>{})) {}

AddressPlaces::~AddressPlaces() { CHECK(addresses() == 0); }

std::size_t AddressPlaces::Hash::operator()(const Key& key) const {
  SipHasher sip(*secret);
  sip.word(key.high);
  sip.word(key.low);
  return sip.finish().lo;
}

// IPv4 stands at ::ffff:0:0/96, where no IPv6 client can be: those are unmapped.
AddressPlaces::Key AddressPlaces::key_of(const IpAddress& client, std::uint8_t ipv6_prefix) {
  const IpAddress ip = client.unmapped();
  const std::uint64_t high = load(ip.bytes.data());
  if (!ip.is_v6) return {0, std::uint64_t{0xffff} << 32 | high >> 32};
  const unsigned bits = ipv6_prefix;
  return {keep(high, std::min(bits, 64U)),
          keep(load(ip.bytes.data() + 8), bits > 64 ? bits - 64 : 0)};
}

AddressPlace AddressPlaces::take(const IpAddress& client, std::uint8_t ipv6_prefix,
                                 std::uint32_t max) {
  const Key key = key_of(client, ipv6_prefix);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto entry = shard.counts.try_emplace(key, 0).first;
  if (entry->second >= max) {
    if (entry->second == 0) shard.counts.erase(entry);
    return {};
  }
  ++entry->second;
  return {this, &*entry};
}

void AddressPlaces::give_back(void* entry) {
  auto& [key, held] = *static_cast<Counts::value_type*>(entry);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  if (--held == 0) shard.counts.erase(Key(key));
}

std::size_t AddressPlaces::addresses() const {
  std::size_t count = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    count += shard.counts.size();
  }
  return count;
}

}  // namespace weir::policy
