// SPDX-License-Identifier: Apache-2.0
// Keys of copies: a route's mirror, and what all copies together may take.
#include "config/keys.h"
#include "config/scalars.h"

namespace weir::config {
namespace {

constexpr std::uint64_t kLongestBody = 16 * 1024 * 1024;
// A copy may hold up the end of its listener for so long.
constexpr Millis kLongest = std::chrono::minutes{1};

}  // namespace

CodecPtr<MirrorConfig> mirror_section() {
  using S = MirrorConfig;
  static const auto table = section<S>(
      {
          key("cluster", &S::cluster, name(), "Where copies go; their answers are thrown away.",
              KeyUse::kRequired),
          key("sample", &S::sample, share(), "The share of requests that are copied, at random."),
          key("max_body", &S::max_body_bytes, size(Zero::kOff, 1, kLongestBody),
              "A request with a longer body is not copied; 0 for none with a body."),
          key("timeout", &S::timeout, duration(Zero::kRefused, Millis{1}, kLongest),
              "Of the copy alone, which begins when the request has come in whole."),
      },
      [](Reader& reader, NodeId id, S& value) {
        const NodeId cluster = reader.find(id, "cluster");
        value.location = reader.document().location(cluster == Document::kNone ? id : cluster);
      });
  return table;
}

CodecPtr<MirroringConfig> mirroring_section() {
  using S = MirroringConfig;
  static const auto table = section<S>({
      key("max_concurrent", &S::max_concurrent, count<std::uint32_t>(0, 1'000'000),
          "Copies under way at once; more are not made."),
      key("max_bytes", &S::max_bytes, size(Zero::kOff),
          "What the bodies of copies may hold together, beside memory.budget; more are not made."),
  });
  return table;
}

}  // namespace weir::config
