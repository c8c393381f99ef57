// SPDX-License-Identifier: Apache-2.0
// An answer that weir gives by itself, as plain values: of a route, or in the place of a cluster
// whose breaker is open. Immutable once loaded; any thread may read.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weir {

using HeaderPairs = std::vector<std::pair<std::string, std::string>>;

struct DirectTarget {
  std::uint16_t status = 200;
  std::string body;
  HeaderPairs headers;  // set on the answer; content-type is text/plain unless given
};

}  // namespace weir
