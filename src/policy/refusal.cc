// SPDX-License-Identifier: Apache-2.0
#include "policy/refusal.h"

#include "base/error_text.h"

namespace weir::policy {
namespace {

ErrorCode code_of(LimitCause cause, bool node) {
  switch (cause) {
    case LimitCause::kRate:
      return node ? ErrorCode::kNodeRateLimited : ErrorCode::kRateLimited;
    case LimitCause::kQueueFull:
      return node ? ErrorCode::kNodeQueueFull : ErrorCode::kQueueFull;
    case LimitCause::kQueueDelay:
      return node ? ErrorCode::kNodeQueueTimeout : ErrorCode::kQueueTimeout;
    case LimitCause::kConcurrency:
      break;
  }
  return node ? ErrorCode::kNodeConcurrencyLimited : ErrorCode::kConcurrencyLimited;
}

std::string_view words_of(LimitCause cause) {
  switch (cause) {
    case LimitCause::kQueueFull:
      return ", its queue is full";
    case LimitCause::kQueueDelay:
      return ", waited in vain";
    case LimitCause::kRate:
    case LimitCause::kConcurrency:
      break;
  }
  return {};
}

template <class Pieces>
std::string joined(const Pieces& pieces) {
  std::string out;
  for (const std::string_view piece : pieces) out += piece;
  return out;
}

}  // namespace

RefusalTexts make_refusal_texts(std::string_view name, std::string_view scope, bool node_wide) {
  RefusalTexts out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto cause = static_cast<LimitCause>(i);
    RefusalText& text = out[i];
    text.code = code_of(cause, node_wide);
    text.detail =
        joined(std::array<std::string_view, 5>{"limit ", name, " by ", scope, words_of(cause)});
    text.proxy_status = joined(base::proxy_status_pieces(error_info(text.code), text.detail));
    text.plain_body = joined(base::plain_body_pieces(error_info(text.code), text.detail));
  }
  return out;
}

}  // namespace weir::policy
