// SPDX-License-Identifier: Apache-2.0
// What a request asks of the demo origin, in its query (?delay=250ms&status=503) or as a pair of
// path segments (/delay/250ms), and what the origin says about the request. Pure functions.
#pragma once

#include <weir/message.h>
#include <weir/units.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::app {

struct OriginOrder {
  Millis delay{0};  ///< Before the answer.
  uint16_t status = 200;
  std::optional<uint64_t> size;  ///< Of a body of letters; else the body tells the request.
  bool reset = false;            ///< RST instead of an answer.
  bool chunked = false;
  bool trailers = false;  ///< Chunked, with trailer fields after it.
  bool close = false;     ///< End the connection after the answer.
  bool json = false;      ///< ?format=json, or Accept names it.
  std::string problem;    ///< What could not be understood; the answer is a 400 then.
};

OriginOrder read_order(const RequestHead& head);

struct OriginFacts {
  std::string_view name;
  uint64_t connection = 0;  ///< Counts up with each connection.
  uint64_t request = 0;     ///< Counts up on the connection.
};

/// The body that tells the request: plain text, or JSON.
std::string tell(const RequestHead& head, const OriginFacts& facts, bool json);

}  // namespace weir::app
