// Intrusive doubly linked list: an element stands in at most one list for each hook that it has, and leaves it in O(1).
#pragma once

namespace pua {

struct ListHook {
  ListHook* prev = nullptr;
  ListHook* next = nullptr;
  bool linked() const { return prev != nullptr; }
};

// T derives from Hook (a ListHook, or a tagged type derived from it when an element has several).
template <class T, class Hook = ListHook>
class List {
 public:
  List() { head_.prev = head_.next = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const { return head_.next == &head_; }
  T* front() { return empty() ? nullptr : static_cast<T*>(static_cast<Hook*>(head_.next)); }

  void push_back(T& t) {
    ListHook& h = static_cast<Hook&>(t);
    h.prev = head_.prev;
    h.next = &head_;
    head_.prev->next = &h;
    head_.prev = &h;
  }
  void push_front(T& t) {
    ListHook& h = static_cast<Hook&>(t);
    h.next = head_.next;
    h.prev = &head_;
    head_.next->prev = &h;
    head_.next = &h;
  }
  static void erase(T& t) {  // needs no list: an element knows its neighbours
    ListHook& h = static_cast<Hook&>(t);
    h.prev->next = h.next;
    h.next->prev = h.prev;
    h.prev = h.next = nullptr;
  }
  template <class F>
  void for_each(F fn) {  // fn must not change the list
    for (ListHook* h = head_.next; h != &head_; h = h->next) fn(*static_cast<T*>(static_cast<Hook*>(h)));
  }
  T* pop_front() {
    T* t = front();
    if (t) erase(*t);
    return t;
  }

 private:
  ListHook head_;
};

}  // namespace pua
