# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests of tools/matrix, and what that uses. Making root file systems is not part of make check.

EXTRA_DIST += tests/matrix/arguments.sh tests/matrix/root tests/matrix/row tools/matrix

CHECKS += check-matrix

.PHONY: check-matrix
check-matrix: check-programs
	$(SHELL) $(srcdir)/tests/matrix/arguments.sh
