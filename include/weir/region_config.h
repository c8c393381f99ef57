// SPDX-License-Identifier: Apache-2.0
// What decides whether the region in which this weir stands should be in the answers of DNS, as
// plain values. In-class values are the defaults. Not behaviour: upstream/region_state.h says when
// the answer changes. Immutable once loaded; any thread may read.
#pragma once

#include <weir/location.h>
#include <weir/units.h>

#include <string>
#include <vector>

namespace weir {

struct RegionConfig {
  std::string name;                          // required
  std::vector<std::string> clusters;         // each must be served
  std::vector<std::string> failover_groups;  // each must be served
  Share min_healthy = Share::percent(50);    // of the weight of one of them: then it is served
  Share min_served = Share::percent(50);     // of all that routes lead to
  Millis unhealthy_after{10'000};            // how long it must be bad to leave the answer
  Millis healthy_after{60'000};              // how long it must be good to come back
  Millis ramp{300'000};                      // over which its weight then grows; 0 at once
  Millis ttl{30'000};  // of the DNS answers; two of them are served after a no
  SourceLocation location;
};

}  // namespace weir
