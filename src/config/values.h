// SPDX-License-Identifier: Apache-2.0
// The words of a configuration and the values they stand for: "250ms", "64KiB", "240B/s", "20%",
// "127.0.0.1:80", "10.0.0.0/8", and back. Pure functions without knowledge of keys; the finding of
// a failed parse does not repeat the text. format_x(parse_x(t)) is the canonical form of t.
#pragma once

#include <weir/units.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "config/diagnostics.h"

namespace weir::config {

template <class V>
using Parsed = std::expected<V, Finding>;

Parsed<Millis> parse_duration(std::string_view text);
std::string format_duration(Millis value);

Parsed<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);

Parsed<ByteRate> parse_rate(std::string_view text);
std::string format_rate(ByteRate rate);

Parsed<Share> parse_share(std::string_view text);
std::string format_share(Share share);

Parsed<std::int64_t> parse_integer(std::string_view text);

Parsed<IpAddress> parse_ip(std::string_view text);
std::string format_ip(const IpAddress& ip);

// "ip:port", "[ip6]:port" or "unix:/path" ("unix:@name" for the abstract namespace).
Parsed<Address> parse_address(std::string_view text);

// "10.0.0.0/8"; an address alone is a network of one.
Parsed<Cidr> parse_cidr(std::string_view text);
std::string format_cidr(const Cidr& cidr);

}  // namespace weir::config
