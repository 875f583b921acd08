// How many retries a pool may still make, over all workers of the node: a bucket on the board. Every request
// puts its share in, every second adds the floor, a retry takes a whole one out at the moment it is decided.
// So however many requests fail, backends see the offered load plus that share. While nothing fails the
// bucket is full and is only read.
#pragma once

#include "common/config/model_resilience.h"
#include "common/event_loop.h"
#include "l7/board.h"

namespace gatehouse::l7 {

void add_request(PoolCell& cell, const config::Retry& retry);
bool take_retry(PoolCell& cell, const config::Retry& retry, EventLoop::Clock::time_point now);

// The n-th retry (from 1) waits a random time up to this: full jitter spreads those that failed together.
// `random`: any bits.
Duration backoff(const config::Retry& retry, std::uint32_t nth, std::uint64_t random);

}  // namespace gatehouse::l7
