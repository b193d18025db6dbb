# SPDX-License-Identifier: LGPL-2.1-or-later

EXTRA_DIST += tests/debian/wine-links.sh

CHECKS += check-wine-links

.PHONY: check-wine-links
check-wine-links: tools/tawny-wine-links
	$(SHELL) $(srcdir)/tests/debian/wine-links.sh
