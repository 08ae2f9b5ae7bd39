SwaggerUIBundle({
  url: "{{ url_for('openapi.spec') }}",
  dom_id: "#docs",
  deepLinking: true,
  // Swagger UI would otherwise ask an outside service whether the document is valid.
  validatorUrl: null,
});
