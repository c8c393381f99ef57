// SPDX-License-Identifier: Apache-2.0
// Copies of requests to a cluster that is tried out, as plain values: which requests of a route,
// and what all copies together may take. In-class values are the defaults. Immutable once loaded;
// any thread may read.
#pragma once

#include <weir/location.h>
#include <weir/units.h>

#include <cstdint>
#include <string>

namespace weir {

// Of a route.
struct MirrorConfig {
  std::string cluster;                       // required; not one that the route leads to
  Share sample = Share::percent(100);        // drawn for each request
  std::uint64_t max_body_bytes = 64 * 1024;  // a request with a longer body is not copied
  Millis timeout{10'000};                    // of the copy, from the end of the request on
  SourceLocation location;                   // of the cluster's name
};

// Of the process.
struct MirroringConfig {
  std::uint32_t max_concurrent = 100;         // copies, those whose body still comes included
  std::uint64_t max_bytes = 8 * 1024 * 1024;  // their bodies
};

}  // namespace weir
