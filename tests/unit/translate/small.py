"""A WSDL around a schema, for tests of one thing."""

from __future__ import annotations

from bus.gateway.translate import Contract, compile_wsdl

NAMESPACE = "urn:t"


def wsdl(schema: str, element: str, *, style: str = "document", part: str = "") -> bytes:
    bound = f' namespace="{NAMESPACE}"' if style == "rpc" else ""
    return f"""<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
 xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="{NAMESPACE}"
 xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{NAMESPACE}">
<wsdl:types><xs:schema targetNamespace="{NAMESPACE}" elementFormDefault="qualified">{schema}
</xs:schema></wsdl:types>
<wsdl:message name="M">{part or f'<wsdl:part name="p" element="t:{element}"/>'}</wsdl:message>
<wsdl:portType name="P"><wsdl:operation name="Ask"><wsdl:input message="t:M"/>
<wsdl:output message="t:M"/></wsdl:operation></wsdl:portType>
<wsdl:binding name="B" type="t:P">
<soap:binding style="{style}" transport="http://schemas.xmlsoap.org/soap/http"/>
<wsdl:operation name="Ask"><soap:operation soapAction="ask"/>
<wsdl:input><soap:body use="literal"{bound}/></wsdl:input>
<wsdl:output><soap:body use="literal"{bound}/></wsdl:output></wsdl:operation></wsdl:binding>
<wsdl:service name="S"><wsdl:port name="Port" binding="t:B">
<soap:address location="https://service.invalid/"/></wsdl:port></wsdl:service>
</wsdl:definitions>""".encode()


def service(schema: str, element: str, *, style: str = "document", part: str = "") -> Contract:
    return compile_wsdl({"s.wsdl": wsdl(schema, element, style=style, part=part)}, "s.wsdl")
