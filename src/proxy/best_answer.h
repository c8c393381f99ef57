// SPDX-License-Identifier: Apache-2.0
// An origin's answer that is kept while another try is made (exchange_best_answer.cc). In the
// exchange's arena; its body is charged like the exchange's other bytes, and cleared by its end.
// One thread.
#pragma once

#include <weir/message.h>

#include "base/buffer_chain.h"
#include "upstream/retry_policy.h"

namespace weir::proxy {

struct BestAnswer {
  enum class State : uint8_t {
    kNone,
    kArriving,  ///< The retry waits for the rest of it.
    kWhole,
    kSent,  ///< It was the last word.
  };

  State state = State::kNone;
  upstream::RetryVerdict verdict = upstream::RetryVerdict::kNo;
  bool stays = false;  ///< The same cluster may be asked again.
  ResponseHead head;   ///< All views are the arena's.
  base::BufferChain body;
};

}  // namespace weir::proxy
