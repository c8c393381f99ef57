// SPDX-License-Identifier: Apache-2.0
#include "http/status.h"

#include <gtest/gtest.h>
#include <weir/error.h>

namespace weir::http {
namespace {

TEST(Status, KnowsReasonPhrases) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(404), "Not Found");
  EXPECT_EQ(reason_phrase(502), "Bad Gateway");
  EXPECT_EQ(reason_phrase(299), "");
}

TEST(Status, EveryStatusThatWeirAnswersHasOne) {
  for (size_t i = 0; i < static_cast<size_t>(ErrorCode::kCount); ++i) {
    uint16_t status = error_info(static_cast<ErrorCode>(i)).status;
    if (status == 499) continue;  // only logged
    EXPECT_FALSE(reason_phrase(status).empty()) << status;
  }
}

}  // namespace
}  // namespace weir::http
