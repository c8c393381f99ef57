// SPDX-License-Identifier: Apache-2.0
// Which version of a service an exchange gets: asked once, where its target is chosen; tries and
// hops stay with the answer. To routes without a release this costs a test of a bit.
#include "proxy/exchange.h"
#include "proxy/owner.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

namespace weir::proxy {

uint32_t Exchange::choose_release(uint32_t release) {
  const Releases& releases = *worker_.snapshot().releases;
  Releases::Asked asked{request_, {}, {}, worker_.rng().next()};
  if (owner_ != nullptr) asked.tenant = owner_->tenant;
  if (releases.asks_address(release)) asked.client = client_address();
  const uint32_t choice = releases.choose(release, asked, arena_);
  policy::ReleaseRow& row = releases.row(release, choice);
  row.of_worker[worker_.index()].requests.add();
  release_ = &row;
  return worker_.snapshot().targets.of_release[release][choice];
}

}  // namespace weir::proxy
