#pragma once
// Time-uniform bound for a sum of independent, centred, sub-Gaussian terms with intrinsic time v (their summed
// variance): the sum leaves the bound at any time with chance at most alpha. Source: Howard, Ramdas, McAuliffe, Sekhon
// 2021, arXiv:1810.08240, equation (14) and section 3.2. For checks of a mean, one number a look.

namespace tidegate::stats {

enum class Sides { kOne, kTwo };

class NormalMixture {
 public:
  // The bound is tightest about v = v_opt > 0 for level alpha in (0, 1).
  NormalMixture(double v_opt, double alpha, Sides sides);

  double rho() const { return rho_; }

  // How far the sum may be from zero at intrinsic time v >= 0.
  double bound(double v) const;

 private:
  double log_evidence(double sum, double v) const;

  double alpha_;
  Sides sides_;
  double rho_;
};

}  // namespace tidegate::stats
