// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <weir/error.h>

#include <set>
#include <string>
#include <type_traits>

namespace weir {
namespace {

template <typename Visit>
void for_each_code(Visit visit) {
  for (size_t i = 0; i < static_cast<size_t>(ErrorCode::kCount); ++i) {
    visit(static_cast<ErrorCode>(i), error_info(static_cast<ErrorCode>(i)));
  }
}

TEST(Errors, AreValues) {
  static_assert(std::is_trivially_copyable_v<Error>);
  Error error = make_error(ErrorCode::kConnectRefused, "why", Retry::kUnsent, 111);
  EXPECT_EQ(error.origin, Origin::kUpstream);
  EXPECT_EQ(error.retry, Retry::kUnsent);
  EXPECT_EQ(error.sys, 111);
  EXPECT_STREQ(error.detail, "why");
}

TEST(Errors, EveryCodeHasAWordOfItsOwnAndAHint) {
  std::set<std::string> words;
  for_each_code([&](ErrorCode, const ErrorInfo& info) {
    EXPECT_TRUE(words.insert(std::string(info.reason)).second) << info.reason;
    EXPECT_EQ(info.reason.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"),
              info.reason.npos);
    EXPECT_TRUE(info.hint.ends_with('.')) << info.reason;
  });
}

TEST(Errors, StatusSaysWhoseFaultItIs) {
  for_each_code([](ErrorCode, const ErrorInfo& info) {
    bool fits = info.status >= 400 && info.status < 600;
    EXPECT_TRUE(fits) << info.reason;
    bool own_limits = info.status == 501 || info.status == 505;
    EXPECT_TRUE(info.origin != Origin::kUpstream || info.status >= 502) << info.reason;
    EXPECT_TRUE(info.origin != Origin::kDownstream || info.status < 500 || own_limits)
        << info.reason;
  });
}

TEST(Errors, ProxyStatusTokensAreRegistered) {
  // RFC 9209, section 2.3.
  const std::set<std::string_view> tokens = {"dns_timeout",
                                             "dns_error",
                                             "destination_not_found",
                                             "destination_unavailable",
                                             "destination_ip_prohibited",
                                             "destination_ip_unroutable",
                                             "connection_refused",
                                             "connection_terminated",
                                             "connection_timeout",
                                             "connection_read_timeout",
                                             "connection_write_timeout",
                                             "connection_limit_reached",
                                             "tls_protocol_error",
                                             "tls_certificate_error",
                                             "tls_alert_received",
                                             "http_request_error",
                                             "http_request_denied",
                                             "http_response_incomplete",
                                             "http_response_header_section_size",
                                             "http_response_header_size",
                                             "http_response_body_size",
                                             "http_response_trailer_section_size",
                                             "http_response_trailer_size",
                                             "http_response_transfer_coding",
                                             "http_response_content_coding",
                                             "http_response_timeout",
                                             "http_upgrade_failed",
                                             "http_protocol_error",
                                             "proxy_internal_response",
                                             "proxy_internal_error",
                                             "proxy_configuration_error",
                                             "proxy_loop_detected"};
  for_each_code([&](ErrorCode, const ErrorInfo& info) {
    EXPECT_TRUE(tokens.contains(info.proxy_status)) << info.reason;
  });
}

}  // namespace
}  // namespace weir
