#pragma once
// Special functions in log space, accurate where the standard library's lgamma cancels: with counts of 10^12,
// lgamma(n) is near 10^13 and its last bit is worth more than the whole answer. Used only inside stats.

namespace tidegate::stats {

// What Stirling's formula leaves out: lgamma(x) - ((x - 1/2) ln x - x + ln(2π)/2), for x > 0. (NIST DLMF 5.11.1.)
double stirling_remainder(double x);

// ln B(a, b) - (a ln m + b ln(1 - m)) with m = a / (a + b), for a, b > 0: the part of the log beta function that stays
// of order ln(a + b) however large the arguments are.
double log_beta_excess(double a, double b);

// a ln(m / p) + b ln((1 - m) / (1 - p)) with m = a / (a + b): (a + b) times the Kullback-Leibler divergence of the
// Bernoulli distributions m and p. Needs a, b >= 0, a + b > 0, 0 < p < 1; is >= 0 and keeps full relative precision
// near p = m.
double scaled_divergence(double a, double b, double p);

}  // namespace tidegate::stats
