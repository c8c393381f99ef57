// SPDX-License-Identifier: Apache-2.0
// What the refusals of one limit say, made with the limit: nothing of it depends on the request, so
// a storm that is refused pays for no words. Immutable; lives as long as the limit.
#pragma once

#include <weir/error.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::policy {

enum class LimitCause : std::uint8_t { kRate, kConcurrency, kQueueFull, kQueueDelay };

struct RefusalText {
  ErrorCode code{};
  std::string detail;  ///< "limit tenant by tenant, its queue is full"
  std::string proxy_status;
  std::string plain_body;
};

/// By LimitCause.
using RefusalTexts = std::array<RefusalText, 4>;

/// `scope`: the limit's dimensions. `node_wide`: it is shared by the whole node, and nobody's own.
RefusalTexts make_refusal_texts(std::string_view name, std::string_view scope, bool node_wide);

}  // namespace weir::policy
