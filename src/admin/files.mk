# What the assembler reads besides admin_files.c; the compiler's own list of dependencies lacks it.
ADMIN_PAGE := $(wildcard src/admin/page/*)
$(foreach v,release asan tsan gcc clang,$(B)/$(v)/obj/admin/admin_files.o): $(ADMIN_PAGE)
