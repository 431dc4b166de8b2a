#pragma once
#include <sys/eventfd.h>
#include <sys/epoll.h>
