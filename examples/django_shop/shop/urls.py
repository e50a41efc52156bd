"""One page is enough."""

from django.urls import path

from shop.views import checkout

urlpatterns = [path("checkout", checkout)]
