// SPDX-License-Identifier: Apache-2.0
// What an exchange knows of the gRPC call that it carries. In the exchange's arena; plain values.
#pragma once

#include <optional>

#include "http/grpc.h"
#include "http/grpc_web.h"

namespace weir::proxy {

struct GrpcCall {
  http::GrpcWeb web = http::GrpcWeb::kNone;  ///< What the client speaks, if the route translates.
  bool translates = false;                   ///< The response's body is being made gRPC-Web.
  http::Base64Decoder decoder;               ///< Of a text request.
  std::optional<http::GrpcStatus> status;    ///< As answered.
};

}  // namespace weir::proxy
