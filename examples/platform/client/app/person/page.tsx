import type { Metadata } from "next";
import { Suspense } from "react";
import { PersonPage } from "@/components/people/person-page";
import { Loading } from "@/components/ui/states";

export const metadata: Metadata = { title: "Person" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <PersonPage />
    </Suspense>
  );
}
