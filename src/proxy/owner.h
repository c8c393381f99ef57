// SPDX-License-Identifier: Apache-2.0
// Whom an exchange belongs to, and what it holds of his limits: in the exchange's arena, and only
// where the config has identity or limits. The code is in exchange_limits.cc.
// Lifetime: from the matched route to the end of the exchange, which destroys it; with it goes all
// that was held. One thread.
#pragma once

#include <memory>
#include <string_view>

#include "net/timer_wheel.h"
#include "policy/held_by_name.h"
#include "policy/limits.h"
#include "policy/memory_shares.h"
#include "proxy/policies.h"

namespace weir::proxy {

class Exchange;

struct Owner final : policy::LimitObserver {
  Owner(Exchange& of, const Policies& by);
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  ~Owner() = default;

  void on_limits(const policy::LimitVerdict& verdict) override;
  void on_wait_over();
  void end_wait();
  /// The snapshot goes: what points into it becomes the arena's, and the policies are kept only for
  /// a head that is yet to be made.
  void detach(base::Arena& arena, std::shared_ptr<const Policies> until_sent);

  Exchange& exchange;
  const Policies* policies;  ///< Of the snapshot that it was identified by.
  std::shared_ptr<const Policies> kept;
  std::string_view tenant;     ///< As identified; empty: no rule yielded one.
  policy::CountedName bucket;  ///< The name that it is counted by; has a key where rules tell it.
  std::string_view function;
  policy::CountedName counted_function;  ///< The same of his function, which may be `unknown`.
  std::string_view class_name;
  uint32_t weight = 1;  ///< Of the class.
  uint8_t priority = kDefaultPriority;
  Share memory_share;
  policy::MemoryShares::Place* place = nullptr;  ///< Where his share is counted; null: it is not.
  policy::HeldByName::Place* function_place = nullptr;  ///< The same of his function.
  policy::LimitHold hold;
  net::Timer wait_timer;
  policy::LimitVerdict refusal;  ///< limit is null: it was not refused.
  uint64_t charged_bytes = 0;    ///< Of both bodies, so far.
  bool admitted = false;
  bool charged = false;  ///< Whatever is to be counted in his name is.
};

}  // namespace weir::proxy
