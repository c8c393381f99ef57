// SPDX-License-Identifier: Apache-2.0
// One request to the admin pages of a running weir, blocking: for the commands that talk to one.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace weir::app {

struct AdminAnswer {
  uint16_t status = 0;
  std::string body;
};

/// `address` is "unix:/path" or "ip:port". The error is a sentence for people: what happened, and
/// what to do next.
std::expected<AdminAnswer, std::string> ask_admin(const std::string& address,
                                                  const std::string& method,
                                                  const std::string& target);

}  // namespace weir::app
