// SPDX-License-Identifier: Apache-2.0
#include "app/fault_words.h"

#include <gtest/gtest.h>

namespace weir::app {
namespace {

TEST(FaultWords, AreReadInAnyOrderAndWrittenInOne) {
  for (const char* text :
       {"delay=2s abort=503 percent=10", "percent=10% abort=503  delay=2000ms"}) {
    const auto fault = parse_fault(text);
    ASSERT_TRUE(fault) << text;
    EXPECT_EQ(fault->delay_ms, 2'000U);
    EXPECT_EQ(fault->abort, 503U);
    EXPECT_EQ(fault->share, 1'000U);
    EXPECT_EQ(fault_words(*fault), "delay=2s abort=503 percent=10");
  }
}

TEST(FaultWords, WithoutAPercentageAllRequestsAreMeant) {
  EXPECT_EQ(parse_fault("abort=500")->share, base::Fault::kAll);
  EXPECT_EQ(fault_words(*parse_fault("abort=500 percent=0.5")), "abort=500 percent=0.5");
}

TEST(FaultWords, WhatIsWrittenIsReadAgain) {
  for (const char* text :
       {"delay=5m percent=100", "abort=599 percent=0.01", "delay=1ms abort=400"}) {
    const std::string words = fault_words(parse_fault(text).value());
    EXPECT_EQ(fault_words(parse_fault(words).value()), words);
  }
}

TEST(FaultWords, WhatIsNoFaultIsAnErrorThatNamesIt) {
  for (const char* text : {"", "percent=10", "delay=0s abort=503", "delay=6m", "abort=200",
                           "abort=503 percent=101", "abort=503 percent=0", "abort", "later=2s"}) {
    const auto fault = parse_fault(text);
    ASSERT_FALSE(fault) << text;
    EXPECT_FALSE(fault.error().empty());
  }
}

}  // namespace
}  // namespace weir::app
