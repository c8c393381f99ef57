// SPDX-License-Identifier: Apache-2.0
#include "upstream/outlier.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace weir::upstream {
namespace {

// Answers faster than this are not slow, however fast the peers' are.
constexpr double kNeverSlowUs = 100'000;

struct Rated {
  Outlier outlier;
  double badness = 0;  ///< Over what is allowed: 1 and more.
};

double failure_share(std::uint64_t failed, std::uint64_t answered) {
  return answered == 0 ? 0 : static_cast<double>(failed) / static_cast<double>(answered);
}

double mean_us(const AnswerWindow& window) {
  const std::uint64_t good = window.answered - window.failed;
  return good == 0 ? 0 : static_cast<double>(window.latency_us) / static_cast<double>(good);
}

std::uint64_t good_answers(const AnswerWindow& window) { return window.answered - window.failed; }

std::optional<Rated> by_failures(const OutlierConfig& config, const AnswerWindow& one,
                                 const AnswerWindow& all) {
  if (config.failure_rate.ppm == 0 || one.answered < config.minimum_requests) return std::nullopt;
  const double share = failure_share(one.failed, one.answered);
  const double limit = static_cast<double>(config.failure_rate.ppm) / Share::kWhole;
  const double peers = failure_share(all.failed - one.failed, all.answered - one.answered);
  if (share < limit || peers * 2 >= share) return std::nullopt;
  return Rated{{0, std::to_string(std::lround(share * 100)) + " % of " +
                       std::to_string(one.answered) + " attempts failed"},
               share / limit};
}

// The median of the peers' means: one other slow peer does not excuse it.
std::optional<Rated> by_latency(const OutlierConfig& config, const AnswerWindow& one,
                                std::vector<double>& peers) {
  if (config.latency_factor == 0 || peers.empty()) return std::nullopt;
  if (good_answers(one) < config.minimum_requests) return std::nullopt;
  const auto middle = peers.begin() + static_cast<std::ptrdiff_t>(peers.size() / 2);
  std::nth_element(peers.begin(), middle, peers.end());
  const double limit = std::max(*middle * config.latency_factor, kNeverSlowUs);
  const double mean = mean_us(one);
  if (mean < limit) return std::nullopt;
  return Rated{{0, "answers take " + std::to_string(std::lround(mean / 1000)) + " ms, its peers' " +
                       std::to_string(std::lround(*middle / 1000)) + " ms"},
               mean / limit};
}

}  // namespace

std::vector<Outlier> find_outliers(const OutlierConfig& config,
                                   std::span<const AnswerWindow> windows) {
  AnswerWindow all;
  std::vector<double> means;
  for (const AnswerWindow& window : windows) {
    all.answered += window.answered;
    all.failed += window.failed;
    if (good_answers(window) >= config.minimum_requests) means.push_back(mean_us(window));
  }
  std::vector<Rated> found;
  std::vector<double> peers;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    auto rated = by_failures(config, windows[i], all);
    if (!rated && config.latency_factor > 0) {
      peers = means;
      // Its own mean is no peer's.
      const auto own = std::ranges::find(peers, mean_us(windows[i]));
      if (own != peers.end()) peers.erase(own);
      rated = by_latency(config, windows[i], peers);
    }
    if (!rated) continue;
    rated->outlier.index = i;
    found.push_back(std::move(*rated));
  }
  std::ranges::stable_sort(found, std::greater<>{}, &Rated::badness);
  std::vector<Outlier> out;
  for (Rated& each : found) out.push_back(std::move(each.outlier));
  return out;
}

static std::size_t floor_of(const OutlierConfig& config, std::size_t all) {
  const std::uint64_t parts = std::uint64_t{config.min_available.ppm} * all;
  return static_cast<std::size_t>((parts + Share::kWhole - 1) / Share::kWhole);
}

bool may_eject(const OutlierConfig& config, std::size_t available, std::size_t all) {
  // The last one is never ejected, whatever the share.
  return available > 1 && available - 1 >= floor_of(config, all);
}

bool below_floor(const OutlierConfig& config, std::size_t available, std::size_t all) {
  return available < std::max<std::size_t>(floor_of(config, all), 1);
}

}  // namespace weir::upstream
