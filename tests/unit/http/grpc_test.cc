// SPDX-License-Identifier: Apache-2.0
#include "http/grpc.h"

#include <gtest/gtest.h>

#include "message_outcome.h"

namespace weir::http {
namespace {

using namespace std::chrono_literals;

TEST(Grpc, IsToldByItsContentType) {
  for (const char* type : {"application/grpc", "application/grpc+proto", "Application/GRPC",
                           "application/grpc; charset=utf-8", "application/grpc+json;x=y"}) {
    EXPECT_TRUE(is_grpc(type)) << type;
  }
  for (const char* type : {"", "application/grpc-web", "application/grpc-web+proto",
                           "application/grpcx", "application/json", "text/application/grpc"}) {
    EXPECT_FALSE(is_grpc(type)) << type;
  }
}

TEST(Grpc, ReadsTimeouts) {
  const struct {
    const char* text;
    Duration duration;
  } cases[] = {{"1H", 1h},      {"2M", 2min}, {"3S", 3s},
               {"100m", 100ms}, {"5u", 5us},  {"99999999n", 99999999ns},
               {"0S", 0s},      {"08m", 8ms}, {"99999999H", Duration::max()}};
  for (const auto& [text, duration] : cases) EXPECT_EQ(parse_grpc_timeout(text), duration) << text;
  for (const char* text : {"", "S", "1", "1s", "-1S", "1.5S", "100000000n", " 1S", "1S "}) {
    EXPECT_EQ(parse_grpc_timeout(text), std::nullopt) << text;
  }
}

TEST(Grpc, WritesTimeoutsThatAreReadAgain) {
  Memory memory;
  for (Duration left : {Duration(1ns), Duration(99'999'999ns), Duration(100ms), Duration(30s),
                        Duration(24h), Duration(24h * 365 * 100)}) {
    const std::string_view text = grpc_timeout_text(left, memory.arena);
    const auto read = parse_grpc_timeout(text);
    ASSERT_TRUE(read) << text;
    EXPECT_LE(*read, left) << text;
    EXPECT_GT(read->count(), left.count() / 1000 * 999) << text;
  }
  EXPECT_EQ(grpc_timeout_text(-5ms, memory.arena), "1n");
  EXPECT_EQ(grpc_timeout_text(1500ms, memory.arena), "1500000u");
}

TEST(Grpc, SaysRefusalsInItsOwnStatuses) {
  const struct {
    ErrorCode code;
    GrpcStatus status;
  } cases[] = {
      {ErrorCode::kBodyTooLarge, GrpcStatus::kResourceExhausted},
      {ErrorCode::kTooManyHeaders, GrpcStatus::kResourceExhausted},
      {ErrorCode::kResponseTooLarge, GrpcStatus::kResourceExhausted},
      {ErrorCode::kNoEndpoint, GrpcStatus::kUnavailable},
      {ErrorCode::kClusterPendingFull, GrpcStatus::kUnavailable},
      {ErrorCode::kShuttingDown, GrpcStatus::kUnavailable},
      {ErrorCode::kConnectRefused, GrpcStatus::kUnavailable},
      {ErrorCode::kConnectTimeout, GrpcStatus::kUnavailable},
      {ErrorCode::kUpstreamReset, GrpcStatus::kUnavailable},
      {ErrorCode::kUpstreamRefusedStream, GrpcStatus::kUnavailable},
      {ErrorCode::kDeadlineExceeded, GrpcStatus::kDeadlineExceeded},
      {ErrorCode::kUpstreamTimeout, GrpcStatus::kDeadlineExceeded},
      {ErrorCode::kNoRoute, GrpcStatus::kUnimplemented},
      {ErrorCode::kMethodNotAllowed, GrpcStatus::kUnimplemented},
      {ErrorCode::kBadHeader, GrpcStatus::kInternal},
      {ErrorCode::kInternal, GrpcStatus::kInternal},
      {ErrorCode::kUpstreamHttp2, GrpcStatus::kInternal},
      {ErrorCode::kClientClosed, GrpcStatus::kCancelled},
  };
  for (const auto& [code, status] : cases) {
    EXPECT_EQ(grpc_status(code), status) << error_info(code).reason;
  }
  for (size_t i = 0; i < static_cast<size_t>(ErrorCode::kCount); ++i) {
    const GrpcStatus status = grpc_status(static_cast<ErrorCode>(i));
    EXPECT_NE(status, GrpcStatus::kOk);
    EXPECT_NE(status, GrpcStatus::kUnknown) << error_info(static_cast<ErrorCode>(i)).reason;
  }
}

TEST(Grpc, ReadsStatuses) {
  EXPECT_EQ(parse_grpc_status("0"), GrpcStatus::kOk);
  EXPECT_EQ(parse_grpc_status("16"), GrpcStatus::kUnauthenticated);
  EXPECT_EQ(grpc_status_text(GrpcStatus::kUnavailable), "14");
  for (const char* text : {"", "17", "-1", "00", "1 ", "x"}) {
    EXPECT_EQ(parse_grpc_status(text), std::nullopt) << text;
  }
}

TEST(Grpc, EncodesMessages) {
  Memory memory;
  EXPECT_EQ(grpc_message("plain text.", memory.arena), "plain text.");
  EXPECT_EQ(grpc_message("50%\n\xc3\xa9\x7f", memory.arena), "50%25%0A%C3%A9%7F");
  EXPECT_EQ(grpc_message("", memory.arena), "");
}

}  // namespace
}  // namespace weir::http
