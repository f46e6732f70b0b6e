// The inner interface of sofia-sip's reactor (su_port), which its headers do not show, declared again as far as we use it.
//
// Order of the table up to is_running: the same in 1.12.11 and 1.13; Debian's 1.12.11 has two more entries behind it.
// Everything is weak: a library without these symbols still loads, and the driver falls back (SuDriver::Mode::Nested).
#pragma once

#include <sofia-sip/su_alloc.h>
#include <sofia-sip/su_wait.h>

#include <cstddef>

// The table is data of the shared library. Code built as for an executable would bind to a copy of it of the size it had
// when we were linked.
#if (!defined(__PIC__) || defined(__PIE__)) && !defined(__clang_analyzer__)
#error "build with -fPIC: the table of sofia-sip's ports must be read where it is"
#endif

extern "C" {

struct pua_su_port_vtable {
  unsigned size;  // bytes of the library's table, this field included
  void (*lock)(su_port_t*, char const*);
  void (*unlock)(su_port_t*, char const*);
  void (*incref)(su_port_t*, char const*);
  void (*decref)(su_port_t*, int, char const*);
  struct _GSource* (*gsource)(su_port_t*);
  int (*send)(su_port_t*, su_msg_r);
  int (*register_wait)(su_port_t*, su_root_t*, su_wait_t*, su_wakeup_f, su_wakeup_arg_t*, int);
  int (*unregister)(su_port_t*, su_root_t*, su_wait_t*, su_wakeup_f, su_wakeup_arg_t*);
  int (*deregister)(su_port_t*, int);
  int (*unregister_all)(su_port_t*, su_root_t*);
  int (*eventmask)(su_port_t*, int, int, int);
  void (*run)(su_port_t*);
  void (*break_)(su_port_t*);
  su_duration_t (*step)(su_port_t*, su_duration_t);
  int (*thread)(su_port_t*, int);
  int (*add_prepoll)(su_port_t*, su_root_t*, su_prepoll_f*, su_prepoll_magic_t*);
  int (*remove_prepoll)(su_port_t*, su_root_t*);
  su_timer_queue_t* (*timers)(su_port_t*);
  int (*multishot)(su_port_t*, int);
  int (*wait_events)(su_port_t*, su_duration_t);
  int (*getmsgs)(su_port_t*);
  int (*getmsgs_from)(su_port_t*, su_port_t*);
  char const* (*name)(su_port_t const*);
  int (*start_shared)(su_root_t*, su_clone_r, su_root_magic_t*, su_root_init_f, su_root_deinit_f);
  void (*wait)(su_clone_r);
  int (*execute)(su_task_r const, int (*)(void*), void*, int*);
  su_timer_queue_t* (*deferrable)(su_port_t*);
  int (*max_defer)(su_port_t*, su_duration_t*, su_duration_t*);
  int (*wakeup)(su_port_t*);
  int (*is_running)(su_port_t const*);
  void (*more[16])(void);  // what later versions put behind: copied as it is
};

#define PUA_SU_WEAK __attribute__((weak))
extern const struct pua_su_port_vtable su_epoll_port_vtable[1] PUA_SU_WEAK;
int su_pthread_port_init(su_port_t*, const struct pua_su_port_vtable*) PUA_SU_WEAK;
void su_pthread_port_deinit(su_port_t*) PUA_SU_WEAK;
su_root_t* su_root_create_with_port(su_root_magic_t*, su_port_t*) PUA_SU_WEAK;

// Entries of the table under their own names: by them we see that its order is the one above.
void su_pthread_port_lock(su_port_t*, char const*) PUA_SU_WEAK;
void su_pthread_port_unlock(su_port_t*, char const*) PUA_SU_WEAK;
void su_base_port_incref(su_port_t*, char const*) PUA_SU_WEAK;
struct _GSource* su_base_port_gsource(su_port_t*) PUA_SU_WEAK;
int su_base_port_send(su_port_t*, su_msg_r) PUA_SU_WEAK;
void su_base_port_run(su_port_t*) PUA_SU_WEAK;
void su_base_port_break(su_port_t*) PUA_SU_WEAK;
su_duration_t su_base_port_step(su_port_t*, su_duration_t) PUA_SU_WEAK;
int su_pthread_port_thread(su_port_t*, int) PUA_SU_WEAK;
int su_base_port_add_prepoll(su_port_t*, su_root_t*, su_prepoll_f*, su_prepoll_magic_t*) PUA_SU_WEAK;
int su_base_port_remove_prepoll(su_port_t*, su_root_t*) PUA_SU_WEAK;
su_timer_queue_t* su_base_port_timers(su_port_t*) PUA_SU_WEAK;
int su_base_port_getmsgs(su_port_t*) PUA_SU_WEAK;
int su_base_port_getmsgs_from(su_port_t*, su_port_t*) PUA_SU_WEAK;
int su_base_port_start_shared(su_root_t*, su_clone_r, su_root_magic_t*, su_root_init_f, su_root_deinit_f) PUA_SU_WEAK;
void su_pthread_port_wait(su_clone_r) PUA_SU_WEAK;
int su_pthread_port_execute(su_task_r const, int (*)(void*), void*, int*) PUA_SU_WEAK;
su_timer_queue_t* su_base_port_deferrable(su_port_t*) PUA_SU_WEAK;
int su_base_port_max_defer(su_port_t*, su_duration_t*, su_duration_t*) PUA_SU_WEAK;
int su_socket_port_wakeup(su_port_t*) PUA_SU_WEAK;
int su_base_port_is_running(su_port_t const*) PUA_SU_WEAK;
#undef PUA_SU_WEAK

}  // extern "C"

static_assert(offsetof(pua_su_port_vtable, lock) == sizeof(void*), "the size field is padded to one pointer");
