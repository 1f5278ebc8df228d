"""The public pages of people's own choices."""

from django.urls import path

from compliance import views

app_name = "compliance"
urlpatterns = [
    path("u/<str:token>", views.unsubscribe, name="unsubscribe"),
    path("u/<str:token>/preferences", views.preferences, name="preferences"),
]
