// SPDX-License-Identifier: Apache-2.0
#include "policy/traffic.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace weir::policy {
namespace {

// Sets are then so seldom full of busy names that none of them is missed.
constexpr std::size_t kRowsAName = 4;
// A newcomer takes a name's place if he brings that much more than it.
constexpr double kBusier = 2.0;
constexpr double kSmoothing = 0.25;

std::size_t bucket_of(std::uint64_t us) {
  const std::size_t width = static_cast<std::size_t>(std::bit_width(us >> 8));  // 0: below 256
  return std::min((width + 1) / 2, TrafficCounts::kBuckets - 1);
}

template <typename Op>
void each_pair(TrafficCounts& a, const TrafficCounts& b, Op op) {
  for (std::size_t i = 0; i < a.requests.size(); ++i) op(a.requests[i], b.requests[i]);
  for (std::size_t i = 0; i < a.latency.size(); ++i) op(a.latency[i], b.latency[i]);
  op(a.latency_us, b.latency_us);
}

// The length of the UTF-8 character at the front, 0 if there is none (RFC 3629).
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool outside = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
  return overlong || outside ? 0 : size;
}

}  // namespace

std::string readable(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::size_t size = character(name);
    size == 0 ? out += '?' : out += name.substr(0, size);
    name.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

TrafficCounts& TrafficCounts::operator+=(const TrafficCounts& more) {
  each_pair(*this, more, [](std::uint64_t& a, std::uint64_t b) { a += b; });
  return *this;
}

TrafficCounts& TrafficCounts::operator-=(const TrafficCounts& less) {
  each_pair(*this, less, [](std::uint64_t& a, std::uint64_t b) { a -= b; });
  return *this;
}

std::uint64_t TrafficCounts::total() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : requests) sum += count;
  return sum;
}

// ---- A worker's table.

void TrafficTable::Tally::add(TrafficOutcome outcome, std::uint64_t us) {
  requests[static_cast<std::size_t>(outcome)].add();
  if (outcome == TrafficOutcome::kRefused) return;
  latency[bucket_of(us)].add();
  latency_us.add(us);
}

TrafficCounts TrafficTable::Tally::read() const {
  TrafficCounts out;
  for (std::size_t i = 0; i < requests.size(); ++i) out.requests[i] = requests[i].value();
  for (std::size_t i = 0; i < latency.size(); ++i) out.latency[i] = latency[i].value();
  out.latency_us = latency_us.value();
  return out;
}

TrafficTable::TrafficTable(std::size_t names)
    : sets_(std::bit_ceil(std::max<std::size_t>(names * kRowsAName / kWays, 1))),
      rows_(std::make_unique<Row[]>(sets_.size() * kWays)) {}

void TrafficTable::count(const CountedName& name, TrafficOutcome outcome,
                         std::uint64_t latency_us) {
  find(name).add(outcome, latency_us);
}

TrafficTable::Tally& TrafficTable::find(const CountedName& name) {
  if (name.text.size() > kMaxName || name.text == kOther) return other_.tally;
  const std::uint64_t hash = name.key.lo | 1;
  const std::size_t index = (hash >> 32) & (sets_.size() - 1);
  Set& set = sets_[index];
  for (std::size_t way = 0; way < kWays; ++way) {
    if (set.hashes[way] != hash) continue;
    Row& row = rows_[index * kWays + way];
    if (row.view() != name.text) continue;
    set.strengths[way] = std::min(set.strengths[way] + 1, kMaxStrength);
    return row.tally;
  }
  return replace(set, hash, name.text);
}

TrafficTable::Tally& TrafficTable::replace(Set& set, std::uint64_t hash, std::string_view name) {
  const auto weakest = std::ranges::min_element(set.strengths);
  const auto way = static_cast<std::size_t>(weakest - set.strengths.begin());
  if (*weakest > 0) --*weakest;
  if (*weakest > 0) return other_.tally;
  const std::unique_lock lock(names_, std::try_to_lock);
  if (!lock.owns_lock()) return other_.tally;
  Row& row = rows_[static_cast<std::size_t>(&set - sets_.data()) * kWays + way];
  // What no reader has had belongs to the others now.
  TrafficCounts left = row.tally.read();
  left -= row.taken;
  row.taken += left;
  other_.taken -= left;
  set.hashes[way] = hash;
  *weakest = 1;
  row.size = static_cast<std::uint32_t>(name.copy(row.name.data(), kMaxName));
  return row.tally;
}

void TrafficTable::take(std::vector<Line>& out) {
  const auto take_row = [&out](Row& row, std::string_view name) {
    TrafficCounts fresh = row.tally.read();
    fresh -= row.taken;
    // The worker counts a request first, and then its latency: that is left for next time.
    if (fresh.total() == 0) return;
    row.taken += fresh;
    out.push_back({std::string(name), fresh});
  };
  const std::scoped_lock lock(names_);
  for (std::size_t i = 0; i < sets_.size() * kWays; ++i) take_row(rows_[i], rows_[i].view());
  take_row(other_, kOther);
}

// ---- All workers.

Traffic::Traffic(std::uint32_t workers, std::size_t top) : top_(top) {
  for (std::uint32_t i = 0; i < workers; ++i) {
    tables_.push_back(std::make_unique<TrafficTable>(top));
  }
}

std::vector<TrafficTable::Line> Traffic::read() {
  Fresh fresh = gather();
  add_known(fresh);
  name_newcomers(fresh);
  for (const auto& [name, counts] : fresh) {
    const auto known = named_.find(name);
    (known == named_.end() ? other_ : known->second.counts) += counts;
  }
  std::vector<TrafficTable::Line> out;
  for (const auto& [name, named] : named_) out.push_back({name, named.counts});
  out.push_back({std::string(TrafficTable::kOther), other_});
  return out;
}

Traffic::Fresh Traffic::gather() {
  std::vector<TrafficTable::Line> lines;
  for (const auto& table : tables_) table->take(lines);
  Fresh fresh;
  for (const TrafficTable::Line& line : lines) fresh[readable(line.name)] += line.counts;
  if (const auto other = fresh.find(std::string(TrafficTable::kOther)); other != fresh.end()) {
    other_ += other->second;
    fresh.erase(other);
  }
  return fresh;
}

void Traffic::add_known(Fresh& fresh) {
  for (auto& [name, named] : named_) {
    const auto found = fresh.find(name);
    const auto came = found == fresh.end() ? 0.0 : static_cast<double>(found->second.total());
    named.pace += (came - named.pace) * kSmoothing;
    if (found == fresh.end()) continue;
    named.counts += found->second;
    fresh.erase(found);
  }
}

void Traffic::name_newcomers(const Fresh& fresh) {
  std::vector<std::pair<double, const std::string*>> newcomers;
  for (const auto& [name, counts] : fresh) {
    newcomers.emplace_back(static_cast<double>(counts.total()), &name);
  }
  std::ranges::sort(newcomers, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : *a.second < *b.second;
  });
  std::vector<std::pair<double, std::string>> weakest;
  for (const auto& [name, named] : named_) weakest.emplace_back(named.pace, name);
  std::ranges::sort(weakest);
  std::size_t next = 0;
  for (const auto& [came, name] : newcomers) {
    if (named_.size() >= top_) {
      if (next == weakest.size() || came <= kBusier * weakest[next].first) return;
      named_.erase(weakest[next++].second);
    }
    named_[*name] = Named{{}, came};
  }
}

}  // namespace weir::policy
