import type { Metadata } from "next";
import { Suspense } from "react";
import { Search } from "@/components/search/search";
import { Loading } from "@/components/ui/states";

export const metadata: Metadata = { title: "Search by photo" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <Search />
    </Suspense>
  );
}
