// SPDX-License-Identifier: Apache-2.0
// The PROXY v2 header by which an origin learns who the client of an exchange is. Lives on the
// stack while it is sent.
#pragma once

#include <array>
#include <string_view>

namespace weir::proxy {

class Exchange;

class ProxyHeader {
 public:
  explicit ProxyHeader(const Exchange& exchange);
  std::string_view text() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, 1024> bytes_;
  size_t size_ = 0;
};

}  // namespace weir::proxy
