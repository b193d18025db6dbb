# SPDX-License-Identifier: LGPL-2.1-or-later
#
# show: the part of tawny show that runs on the host, beside portpool's Unix side. What it reads of a
# running prefix, ports.exe prints.

SHOW_C = tools/show/document.c tools/show/files.c tools/show/hivefile.c tools/show/host.c \
	tools/show/listing.c tools/show/main.c tools/show/map.c tools/show/memory.c \
	tools/show/report.c tools/show/screen.c tools/show/stored.c tools/show/text.c \
	tools/show/view.c
SHOW_H = tools/show/document.h tools/show/files.h tools/show/hivefile.h tools/show/host.h \
	tools/show/listing.h tools/show/map.h tools/show/memory.h tools/show/report.h \
	tools/show/screen.h tools/show/stored.h tools/show/text.h tools/show/view.h
# Of portpool, what reads its files and the host's sockets.
SHOW_PORTPOOL_C = dlls/portpool/rangename.c dlls/portpool/unix/hive.c \
	dlls/portpool/unix/placeholder.c dlls/portpool/unix/record.c dlls/portpool/unix/sockets.c
SHOW = x86_64-unix/show
SHOW_O = $(SHOW_C:%.c=x86_64-unix/obj/%.o)

I386_PE += i386-windows/ports.exe

$(windir)/ports.exe: include/portpool.h

EXTRA_DIST += $(SHOW_C) $(SHOW_H) tools/ports.c

showdir = $(tawnydir)/x86_64-unix
show_SCRIPTS = $(SHOW)

all-local: $(SHOW)

$(SHOW_O): $(SHOW_H)
$(SHOW_O): UNIX_CFLAGS += -iquote $(srcdir)

$(SHOW): $(SHOW_O) $(SHOW_PORTPOOL_C:%.c=x86_64-unix/obj/%.o)
	$(AM_V_GEN)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(JSON_LIBS)
