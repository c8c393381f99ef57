// SPDX-License-Identifier: Apache-2.0
// Keys of region: whether this weir's region should be in the answers of DNS.
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {
namespace {

void check_share(Reader& reader, NodeId id, std::string_view key, Share share) {
  if (share.ppm != 0) return;
  const Reader::Step step(reader, key);
  reader.error(reader.find(id, key),
               {"a region with nothing that works would stay in the answer", "write 1% or more"});
}

}  // namespace

CodecPtr<RegionConfig> region_section() {
  using S = RegionConfig;
  static const auto table = section<S>(
      {
          key("name", &S::name, name(),
              "What it is called, also as the region of members of failover groups.",
              KeyUse::kRequired),
          key("clusters", &S::clusters, list_of(name(), Repeats::kRefused),
              "Clusters without any of which the region leaves the answer."),
          key("failover_groups", &S::failover_groups, list_of(name(), Repeats::kRefused),
              "The same for failover groups; members of other regions do not count."),
          key("min_healthy", &S::min_healthy, share(),
              "A cluster or group counts as served with this share of its weight healthy."),
          key("min_served", &S::min_served, share(),
              "The share of all clusters and groups of routes that must be served."),
          key("unhealthy_after", &S::unhealthy_after, duration(Zero::kOff),
              "How long that must have failed before the region leaves the answer; 0 at once."),
          key("healthy_after", &S::healthy_after, duration(Zero::kOff),
              "How long it must have held again before the region comes back; 0 at once."),
          key("ramp", &S::ramp, duration(Zero::kOff),
              "Over which its weight then grows from 10 to 100; 0 at once."),
          key("ttl", &S::ttl, duration(Zero::kOff),
              "Of the DNS answers; told to end, weir says no first and serves on for two of them."),
      },
      [](Reader& reader, NodeId id, S& region) {
        check_share(reader, id, "min_healthy", region.min_healthy);
        check_share(reader, id, "min_served", region.min_served);
      });
  return table;
}

}  // namespace weir::config
