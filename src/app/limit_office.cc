// SPDX-License-Identifier: Apache-2.0
#include "app/limit_office.h"

#include <sys/random.h>

#include <utility>

#include "base/check.h"

namespace weir::app {
namespace {

// Whoever knew it could aim keys at each other's buckets.
policy::KeySecret new_secret() {
  policy::KeySecret secret;
  CHECK(getrandom(&secret, sizeof secret, 0) == sizeof secret);
  return secret;
}

}  // namespace

LimitOffice::LimitOffice(const Clock& clock,
                         const std::vector<std::unique_ptr<proxy::Worker>>& workers,
                         std::uint32_t count)
    : workers_(workers), count_(count), registry_(*this, clock, new_secret()) {}

void LimitOffice::post(std::uint32_t worker, policy::PlaceLetter letter) {
  workers_[worker]->deliver(std::move(letter));
}

}  // namespace weir::app
