// The options of retries, ejection, limits and the queue.
#pragma once

#include "common/config/field.h"

namespace gatehouse::config {

template <>
inline constexpr auto kFields<PanicAnswer> = std::tuple{
    field("status", &PanicAnswer::status, "Its status code.", kOptional, 200, 599),
    field("content_type", &PanicAnswer::content_type, "Its Content-Type."),
    field("body", &PanicAnswer::body, "Its body."),
};

template <>
inline constexpr auto kFields<Retry> = std::tuple{
    field("attempts", &Retry::attempts,
          "Tries of a request at most, each on another backend; 1: it is never repeated.", kOptional, 1,
          kMostAttempts),
    field("status", &Retry::status, "Answers of a backend, such as [502, 503], after which another is tried.",
          kOptional, 400, 599),
    field("try_timeout", &Retry::try_timeout,
          "To the head of the response: then another backend is tried; \"0s\": none is, after "
          "response_timeout.",
          kOptional, 0, kDay),
    field("backoff", &Retry::backoff,
          "A further try of what was sent waits a random time up to this, doubled with each.", kOptional, 0,
          kDay),
    field("max_backoff", &Retry::max_backoff, "But never longer than this.", kOptional, 0, kDay),
    field("max_body", &Retry::max_body, "Of a request body, kept for another try: what is longer has none.",
          kOptional, 0, 128 * 1024),
    field("budget", &Retry::budget, "Retries of all workers together, in percent of the requests.", kOptional,
          0, 100),
    field("budget_floor", &Retry::budget_floor, "Retries per second beside that share.", kOptional, 0,
          10'000),
    field("budget_most", &Retry::budget_most, "Retries that may be saved up while there is no need of any.",
          kOptional, 1, 100'000),
};

template <>
inline constexpr auto kFields<Ejection> = std::tuple{
    field("failures", &Ejection::failures,
          "Failures in a row after which a backend gets no requests for a while; 0: never.", kOptional, 0,
          10'000),
    field("counts_5xx", &Ejection::counts_5xx,
          "A 5xx answer is a failure; else only connections, resets and timeouts are."),
    field("interval", &Ejection::interval, "How often the backends of the pool are compared with each other.", kOptional,
          100, kDay),
    field("min_requests", &Ejection::min_requests,
          "Requests that a backend must have had in that time to be compared.", kOptional, 1, 1'000'000),
    field("min_backends", &Ejection::min_backends, "Backends that must have had so many.", kOptional, 2, 10'000),
    field("deviations", &Ejection::deviations,
          "A backend is ejected whose success rate is below the mean of the others by more than so many standard "
          "deviations of theirs, each taken as 5 percent points at least; 0: none is.",
          kOptional, 0, 20),
    field("latency_factor", &Ejection::latency_factor,
          "A backend is ejected whose mean time to the head of an answer is more than so many times the median of "
          "the pool's backends; 0: none is.",
          kOptional, 0, 1'000),
    field("latency_least", &Ejection::latency_least, "But never one that is faster than this.", kOptional, 0, kDay),
    field("time", &Ejection::time, "Of the first ejection; doubled each time that the backend fails again.",
          kOptional, 100, kDay),
    field("max_time", &Ejection::max_time, "Of any ejection.", kOptional, 100, kDay),
    field("max_share", &Ejection::max_share, "Percent of the pool's backends that may be ejected at once.",
          kOptional, 0, 100),
};

template <>
inline constexpr auto kFields<Limits> = std::tuple{
    field("max_requests", &Limits::max_requests, "Requests in flight in the pool; 0: no limit.", kOptional, 0,
          10'000'000),
    field("max_pending", &Limits::max_pending,
          "Of these, requests whose connection is not made yet; 0: no limit.", kOptional, 0, 10'000'000),
    field("max_backend_requests", &Limits::max_backend_requests,
          "Requests in flight on one backend: others are chosen; 0: no limit.", kOptional, 0, 10'000'000),
    field("max_backend_connections", &Limits::max_backend_connections,
          "Connections to one backend, idle ones too; 0: no limit.", kOptional, 0, 10'000'000),
};

template <>
inline constexpr auto kFields<AdaptiveLimit> = std::tuple{
    field("enabled", &AdaptiveLimit::enabled,
          "Requests in flight in the pool, over the workers of a node, are limited to what it answers without a queue of its own; further ones wait "
          "in ours, if there is one, or are answered 503. Beyond it there is room for an eighth more of class \"critical\"; \"sheddable\" gets three quarters of it."),
    field("min_requests", &AdaptiveLimit::min_requests, "The limit is never lower, and so low while the shortest wait is measured anew.", kOptional, 1,
          10'000'000),
    field("max_requests", &AdaptiveLimit::max_requests, "Nor higher than this.", kOptional, 1, 10'000'000),
    field("initial_requests", &AdaptiveLimit::initial_requests, "What it begins with.", kOptional, 1, 10'000'000),
    field("interval", &AdaptiveLimit::interval, "Time between two steps of the limit.", kOptional, 10, 60'000),
    field("min_samples", &AdaptiveLimit::min_samples, "Answers that a step takes: with fewer it waits.", kOptional, 1, 10'000),
    field("percentile", &AdaptiveLimit::percentile, "Of the times to the heads of answers, that stands for all of a step.", kOptional, 1, 99),
    field("buffer", &AdaptiveLimit::buffer, "Percent by which answers may take longer than the shortest time before the limit falls.", kOptional, 0, 1'000),
    field("probe_interval", &AdaptiveLimit::probe_interval,
          "The shortest time is measured anew, with min_requests in flight, when it has not been seen for so long; a tenth later by chance.", kOptional, 1'000, kDay),
};

template <>
inline constexpr auto kFields<Queue> = std::tuple{
    field("limit", &Queue::limit,
          "Requests that wait for a place while the pool or all its backends are at their limits, over the workers of a node, dearer priority "
          "classes first; further ones are answered 503; 0: none waits.",
          kOptional, 0, 1'000'000),
    field("timeout", &Queue::timeout, "How long at most; then 503.", kOptional, 10, kDay),
};

}  // namespace gatehouse::config
